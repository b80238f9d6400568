// The models of this machine: listed, started, fetched.

import { html, useEffect, useState } from "./elements.js";
import { bytes, percent, whole } from "./format.js";

const LIMIT = 50;
const DOWNLOAD_LOOK_MS = 1000;
const FITS = { gpu: "fits the GPU", partly_gpu: "fits partly", cpu: "fits memory", no: "does not fit" };

export function Models({ link, act, version }) {
  const [query, setQuery] = useState("");
  const [list, setList] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(() => {
      link.call("list_models", { limit: LIMIT, ...(query && { query }) }).then(
        ({ data }) => { if (!isOver) { setList(data); setError(""); } },
        (problem) => { if (!isOver) setError(problem.message); },
      );
    }, query ? 200 : 0);
    return () => { isOver = true; clearTimeout(timer); };
  }, [query, version]);
  const start = (model) => act("Start", "start_llama_server", { model_path: model, replace: true, wait_seconds: 1 });
  return html`<section aria-label="Models">
    <label>Search<input type="search" value=${query} onInput=${(event) => setQuery(event.target.value)} /></label>
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    <ul class="rows">${(list?.models ?? []).map((row) => html`<li key=${row.model}>
      <span>${row.model}</span> <span class="quiet">${aboutModel(row)}</span>
      ${row.running ? html`<b>running</b>` : row.kind !== "embedding" && row.kind !== "rerank" && !row.problem && html`<button class="small" aria-label="Start ${row.model}" onClick=${() => start(row.model)}>Start</button>`}
    </li>`)}</ul>
    ${list?.note && html`<p class="quiet">${list.note}</p>`}
    <${Fetch} link=${link} />
  </section>`;
}

export function aboutModel(row) {
  return [
    row.kind !== "chat" && row.kind,
    bytes(row.size_bytes),
    row.quant,
    row.context_length && `${whole(row.context_length)} tokens`,
    row.fits && FITS[row.fits],
    row.problem,
  ].filter(Boolean).join(", ");
}

function Fetch({ link }) {
  const [wanted, setWanted] = useState("");
  const [download, setDownload] = useState(null);
  const [error, setError] = useState("");
  const ask = async (args) => {
    try {
      const { data } = await link.call("download_model", { model: wanted.trim(), wait_seconds: 0, ...args });
      setDownload(data);
      setError("");
    } catch (problem) {
      setError(problem.message);
      setDownload(null);
    }
  };
  useEffect(() => {
    if (download?.state !== "downloading") return undefined;
    const timer = setTimeout(() => ask({}), DOWNLOAD_LOOK_MS);
    return () => clearTimeout(timer);
  }, [download]);
  const begin = (event) => {
    event.preventDefault();
    if (wanted.trim()) ask({});
  };
  const done = download?.bytes?.done ?? download?.bytes?.received ?? 0;
  const total = download?.bytes?.total;
  return html`<form onSubmit=${begin}>
    <h2>Get a model</h2>
    <label>user/repo or user/repo:quant, from Hugging Face<input value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>
    <p class="buttons"><button class="main" disabled=${!wanted.trim() || download?.state === "downloading"}>Download</button>
      ${download?.state === "downloading" && html`<button type="button" onClick=${() => ask({ cancel: true })}>Cancel</button>`}</p>
    ${download && html`<p>${download.state}${total ? `: ${bytes(done)} of ${bytes(total)}, ${percent(done / total)}` : ""}</p>
      ${download.state === "downloading" && html`<progress max=${total || 1} value=${done} aria-label="Downloaded"></progress>`}
      <p class="quiet lines">${(download.notes ?? []).join("\n")}</p>`}
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
  </form>`;
}
