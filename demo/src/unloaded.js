// Says it where a page's modules do not load: no module, for those cannot tell of themselves.
"use strict";

function tell() {
  const problem = document.getElementById("problem");
  const served = location.protocol !== "file:";
  problem.textContent = served
    ? "This does not work: a script could not be loaded."
    : "This does not work: the page needs a web server, such as python -m gru_zoo.demo.";
  problem.hidden = false;
  document.getElementById("note").textContent = "";
  const again = document.getElementById("again");
  again.hidden = !served;
  again.addEventListener("click", () => location.reload());
}

// Such an event reaches no ancestor of the script but by capture.
addEventListener(
  "error",
  ({ target }) => {
    if (target.type !== "module") return;
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", tell);
    else tell();
  },
  true,
);
