// Tells what the live rows cannot tell themselves: how many they are, once it changes, and since when they are not read.
(() => {
  "use strict";

  let since = null;

  function write(id, text) {
    const place = document.getElementById(id);
    // Screen readers read out what is written, the same again as well.
    if (place && place.textContent !== text) place.textContent = text;
  }

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id !== "live") return;
    if (event.detail.successful) since = null;
    else since ??= new Date().toISOString().slice(0, 19).replace("T", " ");
    write(
      "live-state",
      since ? `Not read anew since ${since} UTC: the dashboard or its database does not answer. It is tried every 2 seconds.` : "",
    );
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "live") write("live-told", document.getElementById("live-count").textContent);
  });
})();
