// The settings, and what `llama-mcp doctor` says of this machine and its clients.

import { html, useEffect, useState } from "./elements.js";

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
    <ul class="rows">${(health?.findings ?? []).map((finding, index) => html`<li key=${index}>
      <b class="level ${finding.level}">${finding.level}</b> <span class="lines">${finding.topic}: ${finding.text}</span>
      ${finding.next_step && html`<span class="tail">${finding.next_step}</span>`}</li>`)}</ul>
    <h2>Settings of llama-server</h2>
    <dl class="settings">${Object.entries(config ?? {}).filter(([, value]) => typeof value !== "object" || Array.isArray(value)).map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${Array.isArray(value) ? value.join(" ") || "none" : String(value)}</dd></div>`,
    )}</dl>
  </section>`;
}
