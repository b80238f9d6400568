// The settings, and what `llama-mcp doctor` says of this machine and its clients.

import { html, useEffect, useState } from "./elements.js";

const WORDS = { ok: "ok", warning: "warning", fault: "fault" };

export function Setup({ link }) {
  const [config, setConfig] = useState(null);
  const [health, setHealth] = useState(null);
  const [error, setError] = useState("");
  const [isLooking, setLooking] = useState(false);
  useEffect(() => {
    link.call("get_config").then(({ data }) => setConfig(data), (problem) => setError(problem.message));
  }, []);
  const look = async () => {
    setLooking(true);
    try {
      setHealth((await link.call("dashboard_checks")).data);
      setError("");
    } catch (problem) {
      setError(problem.message);
    }
    setLooking(false);
  };
  return html`<section aria-label="Setup">
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    <h2>Checks</h2>
    <p class="buttons"><button disabled=${isLooking} onClick=${look}>${isLooking ? "Checking…" : "Check this machine"}</button></p>
    <ul class="rows">${(health?.lines ?? []).map((line, index) => html`<li key=${index}>
      <b class="level ${line.level}">${WORDS[line.level] ?? line.level}</b> <span class="lines">${line.text}</span>
      ${line.next && html`<span class="tail">${line.next}</span>`}</li>`)}</ul>
    <h2>Settings of llama-server</h2>
    <dl class="settings">${Object.entries(config ?? {}).filter(([, value]) => typeof value !== "object" || Array.isArray(value)).map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${Array.isArray(value) ? value.join(" ") || "none" : String(value)}</dd></div>`,
    )}</dl>
  </section>`;
}
