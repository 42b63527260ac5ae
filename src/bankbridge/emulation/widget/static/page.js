// The widget's page: sends its forms without leaving it, counts down in the emulator's time, and tells the application
// that opened it how it ended. Without this script the forms still work, and the page is only for reading by hand.
"use strict";
(() => {
  const TICK = 250; // ms
  const POLL = 1000; // ms: the emulator's clock may be moved, and the prompt answered, behind our back
  const ALOUD = [300, 60, 30, 10]; // s

  // What the application hears, by what the page shows.
  const ENDS = {
    connected: "succeeded", accepted: "succeeded", left: "closed", expired: "timeout", refused: "refused", stopped: "stopped",
  };
  // Where a person has something to read before the page goes away.
  const READ_FIRST = ["refused", "stopped"];

  let main = document.querySelector("main");
  let application = null; // the origin of the page that opened this one
  let isBusy = false;
  let readAt = performance.now();
  let saidAt = Infinity;

  const tell = (message) => window.parent.postMessage(message, application);
  const find = (selector) => main.querySelector(selector);

  const end = () => {
    if (application !== null && main.dataset.view in ENDS) {
      tell({ type: "ended", ended: ENDS[main.dataset.view], exchangeToken: find("#exchange-token")?.value });
    }
  };

  // The seconds that are left in the emulator's time, which goes on at its speed since we last read it.
  const left = () => {
    const { now, speed, expiresAt } = main.dataset;
    return (Date.parse(expiresAt) - Date.parse(now) - (performance.now() - readAt) * Number(speed)) / 1000;
  };

  const inWords = (seconds) => {
    const [number, unit] = seconds < 60 ? [seconds, "second"] : [seconds / 60, "minute"];
    const format = { style: "unit", unit, unitDisplay: "long" };
    return new Intl.NumberFormat(document.documentElement.lang, format).format(number);
  };

  const count = () => {
    if (main.dataset.view !== "code") return;
    const seconds = Math.max(0, Math.ceil(left()));
    const shown = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (find("#left").textContent !== shown) find("#left").textContent = shown;
    const due = ALOUD.findLast((moment) => seconds <= moment && moment < saidAt);
    if (due !== undefined) {
      saidAt = due;
      find("#aloud").textContent = `${find("#aloud").dataset.label}: ${inWords(due)}`;
    }
  };

  const show = (page) => {
    document.documentElement.classList.remove("waiting");
    document.title = page.title;
    document.documentElement.lang = page.documentElement.lang;
    main.replaceWith(page.querySelector("main"));
    arrive();
    (find("[aria-invalid]") ?? find("h1")).focus();
  };

  // What there is to do when something new is shown.
  const arrive = () => {
    main = document.querySelector("main");
    readAt = performance.now();
    saidAt = Infinity;
    const back = find("#back");
    if (back !== null) {
      back.hidden = application === null;
      back.addEventListener("click", end);
    }
    if (!READ_FIRST.includes(main.dataset.view)) end();
  };

  const offline = (isOffline) => {
    document.documentElement.classList.remove("waiting");
    find("#offline").hidden = !isOffline;
  };

  const post = async (url, body) => {
    try {
      const response = await fetch(url, { method: "POST", body: new URLSearchParams(body) });
      return new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      return null;
    }
  };

  const send = async (url, body) => {
    if (isBusy) return;
    isBusy = true;
    const page = await post(url, body);
    isBusy = false;
    if (page !== null) show(page);
    else offline(true);
  };

  const poll = async () => {
    if (main.dataset.view !== "code" || isBusy) return;
    const shown = main;
    const close = find("#close");
    const page = await post(new URL(`./${new URL(close.action).search}`, close.action), new FormData(close));
    if (main !== shown || isBusy) return;
    offline(page === null);
    if (page === null) return;
    const fresh = page.querySelector("main");
    if (fresh.dataset.view === "code") {
      Object.assign(main.dataset, fresh.dataset);
      readAt = performance.now();
    } else {
      show(page);
    }
  };

  // Walks away; from where nothing can be done any more, back to the application.
  const leave = () => {
    const form = find("#close");
    if (form !== null) form.requestSubmit();
    else end();
  };

  document.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target.action, new FormData(event.target));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });
  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== window.parent || source === window) return;
    if (data?.type === "open" && application === null) {
      application = origin;
      send("./", { token: data.token, key: data.publicKey });
    } else if (data?.type === "leave" && origin === application) {
      leave();
    }
  });
  setInterval(count, TICK);
  setInterval(poll, POLL);

  if (window.parent !== window) {
    // To whomever it is: this says nothing. The answer brings the token, and the origin that may hear how it ends.
    document.documentElement.classList.add("waiting");
    window.parent.postMessage({ type: "ready" }, "*");
  } else {
    // By hand, a token may follow the address. After # it never leaves the browser; after ? it would reach a server that
    // keeps no log and knows invented tokens only. Neither stays in the browser's history.
    const address = new URL(window.location);
    const given = new URLSearchParams(address.hash.slice(1)).get("token") ?? address.searchParams.get("token");
    if (given !== null) {
      address.hash = "";
      address.searchParams.delete("token");
      window.history.replaceState(null, "", address);
      send(`./${address.search}`, { token: given });
    }
  }
})();
