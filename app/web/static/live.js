// Keeps the counters of a page up to date by server-sent events, while somebody looks at it.
"use strict";

for (const list of document.querySelectorAll("[data-live]")) {
  const stale = list.parentElement.querySelector("[data-live-stale]");
  let source = null;
  const stop = () => { if (source) source.close(); source = null; };
  const give = () => { stop(); stale.hidden = false; };
  const begin = () => {
    if (source || document.hidden || !stale.hidden) return;
    source = new EventSource(list.dataset.live);
    source.onmessage = (event) => {
      for (const [name, number] of Object.entries(JSON.parse(event.data))) {
        const place = list.querySelector(`[data-counter="${name}"]`);
        const text = number.toLocaleString("en-GB");
        if (place && place.textContent !== text) place.textContent = text;
      }
    };
    source.addEventListener("ended", give);
    source.onerror = () => { if (source && source.readyState === EventSource.CLOSED) give(); };
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : begin()));
  begin();
}
