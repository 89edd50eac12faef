// Put before the page's own script, and after it: uses the page as a person would, and writes down what it saw.
window.addEventListener("load", async () => {
  const seen = {};
  const pause = () => new Promise((done) => setTimeout(done, 30));
  const press = async (key) => { (document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); await pause(); };
  const shown = () => document.querySelectorAll("#runs a").length;
  try {
    // The data of a large page is unpacked first.
    while (!document.body.dataset.ready) await pause();
    seen.ready = Math.round(performance.now());
    seen.runs = shown();
    seen.cards = document.querySelectorAll(".card").length;
    document.getElementById("text").value = "zzzz";
    document.getElementById("filters").dispatchEvent(new Event("input"));
    seen.none = shown();
    document.getElementById("text").value = "";
    document.getElementById("mqtt").value = "5.0";
    document.getElementById("filters").dispatchEvent(new Event("input"));
    seen.newer = shown();
    document.getElementById("mqtt").value = "";
    document.getElementById("filters").dispatchEvent(new Event("input"));
    await press("j");
    await pause();
    seen.opened = document.querySelector("main h2").textContent;
    seen.arrows = document.querySelectorAll(".diagram .shaft").length;
    seen.yaml = document.querySelectorAll(".yaml div").length;
    const height = () => Number(document.querySelector("#scroll svg.diagram:not(.headline)").getAttribute("height"));
    const before = height();
    await press("+");
    seen.stretched = height() > before;
    await press("0");
    seen.asItWas = height() === before;
    const stops = [...document.querySelectorAll(".diagram [tabindex][data-event]")];
    const answer = stops.find((stop) => stop.textContent.includes("CONNACK"));
    answer.focus();
    await pause();
    seen.fields = document.getElementById("details").textContent;
    await press("c");
    seen.cause = document.getElementById("details").textContent;
    await press("c");
    seen.causeOfCause = document.getElementById("details").textContent;
    const step = document.querySelector(".diagram .step");
    step.focus();
    await pause();
    seen.line = (document.querySelector(".yaml .is-lit") || { textContent: "" }).textContent;
    await press("Escape");
    await press("Escape");
    await pause();
    seen.back = document.querySelector("main h2").textContent;
    seen.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth + 1;
  } catch (error) {
    seen.error = String(error && error.stack);
  }
  seen.errors = window.errors;
  const said = document.createElement("pre");
  said.id = "seen";
  said.textContent = JSON.stringify(seen);
  document.body.append(said);
});
