  // https://docs.rail.cl/guides/mfa-handling and https://docs.rail.cl/quickstart. The exchange token is a string;
  // after a code onSuccess has no argument. undocumented: every reason but "timeout" and "user_close", and whether a
  // refused code ends the widget; here it does, with the code that the refresh intent fails with.
  const REASONS = { timeout: "timeout", closed: "user_close", refused: "rejected_credentials", stopped: "invalid_token" };
  window.Rail = Object.freeze({
    openWidget({ token, publishableKey, onSuccess, onExit }) {
      const ended = ({ ended, exchangeToken }) => {
        if (ended !== "succeeded") onExit?.(REASONS[ended]);
        else if (exchangeToken === undefined) onSuccess?.();
        else onSuccess?.(exchangeToken);
      };
      createWidget({ token, publicKey: publishableKey, ended }).open();
    },
  });
