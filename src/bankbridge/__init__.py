"""Keep people's bank data fresh through any bank-data provider."""
