// The end of llama-server's log, by level.

import { html, useEffect, useState } from "./elements.js";

const LINES = 200;
const LOG_LOOK_MS = 2000;
const LEVELS = ["debug", "info", "warning", "error"];

export function Log({ link, isAwake }) {
  const [level, setLevel] = useState("");
  const [log, setLog] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    let timer;
    let isOver = false;
    const look = async () => {
      if (isAwake()) {
        try {
          const { data } = await link.call("server_log", { lines: LINES, ...(level && { level }) });
          if (!isOver) { setLog(data); setError(""); }
        } catch (problem) {
          if (!isOver) setError(problem.message);
        }
      }
      if (!isOver) timer = setTimeout(look, LOG_LOOK_MS);
    };
    look();
    return () => { isOver = true; clearTimeout(timer); };
  }, [level]);
  return html`<section aria-label="Log">
    <label>Lines of this level and worse<select value=${level} onChange=${(event) => setLevel(event.target.value)}>
      <option value="">all</option>${LEVELS.map((name) => html`<option value=${name}>${name}</option>`)}
    </select></label>
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    ${log?.note && html`<p class="quiet">${log.note}</p>`}
    <pre class="log" tabindex="0">${(log?.lines ?? []).join("\n")}</pre>
    ${log?.log_path && html`<p class="quiet">${log.log_path}</p>`}
  </section>`;
}
