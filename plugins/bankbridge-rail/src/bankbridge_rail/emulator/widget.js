// A stand-in for Rail's widget script (https://docs.rail.cl/quickstart): only the name that pages look for.
window.Rail = { openWidget() { throw new Error("the emulated widget cannot be opened yet"); } };
