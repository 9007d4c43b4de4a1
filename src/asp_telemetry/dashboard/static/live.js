// Says since when the live rows are no longer read anew; they stay as they were.
(() => {
  "use strict";

  let since = null;

  function tell(failed) {
    const state = document.getElementById("live-state");
    if (!state) return;
    if (!failed) since = null;
    else since ??= new Date().toISOString().slice(0, 19).replace("T", " ");
    state.textContent = since ? `Not updated since ${since} UTC: the dashboard or its database does not answer. Trying again every 2 seconds.` : "";
  }

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id === "live") tell(!event.detail.successful);
  });
})();
