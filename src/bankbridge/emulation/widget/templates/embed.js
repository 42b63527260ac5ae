// Stands in for the widget script of {{ provider }}: made by a bankbridge emulator, for tests only.
"use strict";
(() => {
  const PAGE = {{ page_url | tojson }};
  const EMULATOR = new URL(PAGE).origin;

  // A widget over the whole page. `ended` hears once how it ended: {ended: "succeeded", exchangeToken}, where the
  // token is only there when a bank was connected; or {ended: "timeout" | "closed" | "refused" | "stopped"}.
  const createWidget = ({ token, publicKey, ended }) => {
    if (typeof token !== "string" || token === "") {
      throw new TypeError("the widget was opened without a token: give it the one that your server got");
    }
    if (window.origin === "null") {
      throw new Error("this page has no origin that the widget could answer: serve it over http, not from a file");
    }
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    dialog.setAttribute("aria-label", "Widget");
    // By hand and not in a style sheet, which the page's content security policy might not let through.
    Object.assign(dialog.style, {
      width: "100vw", maxWidth: "none", height: "100vh", maxHeight: "none", boxSizing: "border-box",
      margin: "0", border: "0", padding: "0", background: "rgba(15, 23, 42, 0.6)",
    });
    Object.assign(frame.style, {
      display: "block", boxSizing: "border-box", width: "min(100%, 28rem)", height: "min(100%, 46rem)",
      margin: "0 auto", position: "relative", top: "50%", transform: "translateY(-50%)",
      border: "0", borderRadius: "0.75rem", background: "Canvas", colorScheme: "light dark",
    });
    frame.title = "Widget";
    dialog.append(frame);

    let isListening = false;
    const say = (message) => frame.contentWindow.postMessage(message, EMULATOR);
    const listen = ({ source, origin, data }) => {
      if (source !== frame.contentWindow || origin !== EMULATOR) return;
      if (data?.type === "ready") {
        isListening = true;
        say({ type: "open", token, publicKey: String(publicKey ?? "") });
      } else if (data?.type === "ended") {
        destroy();
        ended(data);
      }
    };
    const open = () => {
      if (!dialog.isConnected) {
        isListening = false;
        window.addEventListener("message", listen);
        frame.src = PAGE;
        document.body.append(dialog);
      }
      if (!dialog.open) dialog.showModal();
    };
    const hide = () => dialog.close();
    const destroy = () => {
      window.removeEventListener("message", listen);
      dialog.close();
      dialog.remove();
    };
    // The Escape key is the person's: the page in the frame walks away, and says so.
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (isListening) {
        say({ type: "leave" });
      } else {
        destroy();
        ended({ ended: "closed" });
      }
    });
    return { open, hide, destroy };
  };

{{ widget_script }}
})();
