// What llama-server does at this moment, and what it did lately.

import { html } from "./elements.js";
import { ago, bytes, counted, duration, MIB, moment, number, percent, whole } from "./format.js";
import { speedNow } from "./looks.js";
import { Plot } from "./plots.js";

const LIVE = new Set(["ready", "starting", "unresponsive", "stopping", "idle"]);
const SHOWN_ENDED = 8;
// Of those under way, where there is little room.
const SHOWN_SHORT = 1;

export function Head({ status, isBusy, act }) {
  const isLive = LIVE.has(status.state);
  const isOthers = status.engine?.kind === "remote";
  return html`<header>
    <h1><span class="state ${status.state}">${status.state}</span> ${status.model ?? "no model"}</h1>
    ${!isOthers && !isLive && html`<button class="main" disabled=${isBusy} onClick=${() => act("Start", "start_llama_server", { wait_seconds: 1 })}>Start</button>`}
    ${!isOthers && isLive && html`<button disabled=${isBusy} onClick=${() => act("Stop", "stop_llama_server", {})}>Stop</button>`}
    <p>${status.message}</p>
    ${status.state === "starting" && html`<progress aria-label="The model is loading"></progress>`}
  </header>`;
}

export function Troubles({ status, problems, error, clear }) {
  const exit = status?.last_exit;
  return html`<div role="alert">
    ${error && html`<section class="trouble"><h2>${error.what}</h2><p class="lines">${error.text}</p>
      <p class="buttons"><button onClick=${clear}>Close</button></p></section>`}
    ${problems.map((problem) => html`<p class="trouble" key=${problem}>${problem}</p>`)}
    ${exit && html`<section class="trouble"><h2>llama-server ended: ${exit.cause}</h2><p>${exit.advice}</p>
      ${exit.log_tail?.length > 0 && html`<details><summary>The end of its log</summary><pre tabindex="0">${exit.log_tail.join("\n")}</pre></details>`}
    </section>`}
  </div>`;
}

function Tile({ name, value, unit = "", more = "" }) {
  return html`<div class="tile"><dt>${name}</dt><dd><b>${value}</b> <small>${unit}</small></dd>
    ${more && html`<dd class="quiet">${more}</dd>`}</div>`;
}

export function Tiles({ seen, isShort }) {
  const { status, metrics = {} } = seen.snapshot;
  const usual = (metrics.own_turns ?? []).find((turns) => turns.model === status.model);
  const gpu = metrics.gpu_memory?.[0];
  const slots = metrics.slots;
  return html`<dl class="tiles">
    ${!isShort && html`<${Tile} name="Writing" value=${number(speedNow(seen))} unit="tokens/s"
      more=${usual?.tokens_per_second && `usually ${number(usual.tokens_per_second.median)}`} />`}
    <${Tile} name="First token" value=${whole(usual?.first_token_ms?.median)} unit="ms"
      more=${usual?.first_token_ms && `one in twenty over ${whole(usual.first_token_ms.p95)}`} />
    ${!isShort && html`<${Tile} name="From the cache" value=${percent(metrics.cache_hit_share)} unit="of prompts" />`}
    <${Tile} name="Slots" value=${slots ? `${slots.busy} of ${slots.total}` : "–"} unit="busy"
      more=${metrics.waiting_turns ? `${whole(metrics.waiting_turns)} waiting` : ""} />
    <${Tile} name="Memory" value=${bytes(metrics.memory_bytes)}
      more=${gpu ? `GPU ${bytes(gpu.used_bytes)} of ${bytes(gpu.total_bytes)}` : ""} />
    ${!isShort && html`<${Tile} name="Up" value=${duration(status.uptime_seconds)} more=${counted(status.clients ?? 0, "client")} />`}
  </dl>`;
}

export function Slots({ slots }) {
  return html`<section aria-labelledby="slots"><h2 id="slots">Slots</h2>
    ${slots.length === 0 && html`<p class="quiet">There is nothing to show while llama-server does not answer.</p>`}
    <ul class="rows">${slots.map((slot) => html`<li key=${slot.id}>
      <span>Slot ${slot.id}</span> <span class="quiet">${doingOf(slot)}</span>
      <meter min="0" max=${slot.ctx_size || 1} high=${(slot.ctx_size || 1) * 0.9} value=${slot.tokens ?? 0} aria-label="Context of slot ${slot.id}"></meter>
      <span class="number">${whole(slot.tokens ?? 0)} of ${whole(slot.ctx_size)} tokens</span>
    </li>`)}</ul>
  </section>`;
}

function doingOf(slot) {
  if (!slot.is_processing) return "idle";
  if (!slot.generated_tokens) return "reads the prompt";
  return slot.speed ? `writes, ${number(slot.speed)} tokens/s` : "writes";
}

export function UnderWay({ turns, open, cancel, isShort }) {
  if (turns.length === 0) return null;
  const shown = isShort ? turns.slice(0, SHOWN_SHORT) : turns;
  const left = turns.length - shown.length;
  return html`<section aria-labelledby="underway"><h2 id="underway">Under way</h2>
    <ul class="rows">${shown.map((turn) => html`<li key=${turn.session_id ?? turn.started_at_utc}>
      ${subject(turn, open)}
      <span class="quiet">${stageOf(turn)}</span>
      <${Stage} turn=${turn} />
      ${turn.session_id && html`<button class="small" aria-label="Cancel the reply in ${turn.title}" onClick=${() => cancel(turn.session_id)}>Cancel</button>`}
      ${turn.tail && html`<span class="tail">${turn.tail}</span>`}
    </li>`)}</ul>
    ${left > 0 && html`<p class="quiet">and ${whole(left)} more</p>`}
  </section>`;
}

// Of another's conversation nobody is told more than figures.
function subjectOf(turn) {
  return turn.title || turn.session_id || "somebody else's";
}

function subject(turn, open) {
  if (!open || !turn.session_id) return html`<span>${subjectOf(turn)}</span>`;
  return html`<button class="link" onClick=${() => open(turn.session_id)}>${subjectOf(turn)}</button>`;
}

export function stageOf(turn) {
  const { progress = {}, job } = turn;
  const parts = [duration(turn.seconds)];
  if (turn.is_cancel_asked) parts.push("is being cancelled");
  else if (turn.is_left) parts.push("goes on without the process that asked for it");
  else if (progress.stage === "loading") parts.push("waits for its model");
  else if (progress.stage === "queued") parts.push(progress.place ? `place ${whole(progress.place)} in the queue` : "waits for a slot");
  else if (isReading(turn)) parts.push(`${whole(progress.prompt_tokens_read)} of ${whole(progress.prompt_tokens)} tokens read`);
  else if (progress.generated_tokens) parts.push(`${whole(progress.generated_tokens)} tokens written`);
  if (progress.tokens_per_second) parts.push(`${number(progress.tokens_per_second)} tokens/s`);
  if (job) parts.push(coverageOf(job));
  return parts.join(", ");
}

export function coverageOf(job) {
  const parts = [];
  if (job.planned) parts.push(`${whole(job.done ?? 0)} of ${job.is_planned ? "" : "about "}${counted(job.planned, "piece")}`);
  if (job.files) parts.push(counted(job.files, "file"));
  if (job.left_out) parts.push(`${whole(job.left_out)} left out`);
  return parts.join(", ");
}

function isReading(turn) {
  return turn.progress?.stage === "reading" && turn.progress.prompt_tokens > 0;
}

function Stage({ turn }) {
  const { progress = {}, job } = turn;
  if (job?.planned) return html`<progress max=${job.planned} value=${job.done ?? 0} aria-label="Pieces of the job"></progress>`;
  if (!isReading(turn)) return null;
  return html`<progress max=${progress.prompt_tokens} value=${progress.prompt_tokens_read ?? 0} aria-label="Prompt read"></progress>`;
}

export function Plots({ seen, isShort }) {
  const to = seen.snapshot.at;
  const from = Math.min(seen.samples[0]?.at ?? to, to - 60000);
  const since = Math.min(seen.ended[0]?.at ?? to, to - 60000);
  const sampled = (value) => seen.samples.map((sample) => ({ at: sample.at, value: value(sample) }));
  const ended = (value) => seen.ended.map((turn) => ({ at: turn.at, value: value(turn), what: whatOf(turn) }));
  return html`<section aria-label="Over time" class="plots">
    <${Plot} title="Writing" unit="tokens/s" from=${from} to=${to} points=${sampled((sample) => sample.generated_tokens_per_second)} />
    ${!isShort && html`
      <${Plot} title="Memory" unit="MiB" from=${from} to=${to} show=${whole} points=${sampled((sample) => sample.memory_bytes / MIB)} />
      ${seen.samples.some((sample) => sample.gpu_memory_bytes) && html`<${Plot} title="GPU memory" unit="MiB" from=${from} to=${to} show=${whole} points=${sampled((sample) => sample.gpu_memory_bytes / MIB)} />`}
      <${Plot} title="From the cache" unit="%" from=${from} to=${to} show=${whole} points=${sampled((sample) => sample.cache_hit_share * 100)} />
      <${Plot} isDotted title="Each turn" unit="tokens/s" from=${since} to=${to} points=${ended((turn) => turn.tokens_per_second)} />
      <${Plot} isDotted title="Time to the first token" unit="ms" from=${since} to=${to} show=${whole} points=${ended((turn) => turn.first_token_ms)} />`}
  </section>`;
}

function whatOf(turn) {
  return `${subjectOf(turn)}, ${moment(turn.at)}: ${turn.status}, ${number(turn.tokens_per_second)} tokens/s, first token after ${whole(turn.first_token_ms)} ms`;
}

export function Ended({ turns, open, now }) {
  const newest = [...turns].reverse().slice(0, SHOWN_ENDED);
  if (newest.length === 0) return null;
  return html`<section aria-labelledby="ended"><h2 id="ended">Last turns</h2>
    <div class="scroll" tabindex="0"><table><thead><tr><th>Conversation</th><th>When</th><th>How it ended</th>
      <th class="number">Prompt</th><th class="number">Cached</th><th class="number">Written</th><th class="number">First token</th><th class="number">tokens/s</th></tr></thead>
    <tbody>${newest.map((turn) => html`<tr key="${turn.session_id ?? turn.ended_at_utc}/${turn.turn}">
      <td>${subject(turn, open)}</td>
      <td>${ago(turn.at, now)}</td><td>${[turn.status, turn.job && coverageOf(turn.job)].filter(Boolean).join(", ")}</td>
      <td class="number">${whole(turn.prompt_tokens)}</td><td class="number">${whole(turn.cached_tokens)}</td>
      <td class="number">${whole(turn.completion_tokens)}</td><td class="number">${whole(turn.first_token_ms)} ms</td>
      <td class="number">${number(turn.tokens_per_second)}</td></tr>`)}</tbody></table></div>
  </section>`;
}
