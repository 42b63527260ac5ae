"""The words everything else is said in: ids, money, reasons, errors. attrs and the standard library only."""
