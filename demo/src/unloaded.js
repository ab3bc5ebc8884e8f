// Says it where a page's modules do not load: no module, for those cannot tell of themselves.
"use strict";

function tell(reason) {
  const problem = document.getElementById("problem");
  const served = location.protocol !== "file:";
  problem.textContent = served
    ? `This does not work: ${reason}.`
    : "This does not work: the page needs a web server, such as python -m gru_zoo.demo.";
  problem.hidden = false;
  document.getElementById("note").textContent = "";
  const again = document.getElementById("again");
  again.hidden = !served;
  again.addEventListener("click", () => location.reload());
}

function tellSoon(reason) {
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => tell(reason));
  else tell(reason);
}

// Such an event reaches no ancestor of the script but by capture.
addEventListener(
  "error",
  (event) => {
    if (event.target.type === "module") return tellSoon("a script could not be loaded");
    const form = document.getElementById("form");
    // What the browser cannot parse or run; a page that has a state tells of problems itself.
    if (event instanceof ErrorEvent && form && !form.dataset.state) {
      tellSoon(`a script could not be run: ${event.message.replace(/\.+$/, "")}`);
    }
  },
  true,
);
