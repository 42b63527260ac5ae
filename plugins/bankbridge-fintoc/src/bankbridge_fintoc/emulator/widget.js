// A stand-in for Fintoc's widget script (https://js.fintoc.com/v1/): only the name that pages look for.
window.Fintoc = { create() { throw new Error("the emulated widget cannot be opened yet"); } };
