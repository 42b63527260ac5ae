  // https://docs.fintoc.com/docs/web-integration. The methods are open, destroy, and hide by its table but close by its
  // text and by https://github.com/fintoc-com/fintoc-js: here there are both. onSuccess gets the link intent in camel
  // case with its exchangeToken (https://docs.fintoc.com/docs/integration-with-exchange-token), and nothing after a code
  // (https://docs.fintoc.com/docs/refresh-intents-widget); the intent's other fields, and what onExit gets, are
  // undocumented.
  window.Fintoc = Object.freeze({
    create({ widgetToken, publicKey, holderType = "individual", product = "movements", onSuccess, onExit }) {
      const linkIntent = (exchangeToken) => ({
        id: widgetToken.split("_sec_")[0],
        object: "link_intent",
        country: "cl",
        exchangeToken,
        holderType,
        product,
      });
      const ended = ({ ended, exchangeToken }) => {
        if (ended !== "succeeded") onExit?.();
        else if (exchangeToken === undefined) onSuccess?.();
        else onSuccess?.(linkIntent(exchangeToken));
      };
      const { open, hide, destroy } = createWidget({ token: widgetToken, publicKey, ended });
      return { open, close: hide, hide, destroy };
    },
  });
