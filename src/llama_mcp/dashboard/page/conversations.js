// The conversations: found, read, gone on with, copied, renamed, deleted.

import { html, useEffect, useRef, useState } from "./elements.js";
import { ago, counted, number, whole } from "./format.js";
import { Markdown } from "./markdown.js";
import { Twice } from "./buttons.js";
import { ChatBox } from "./chat_box.js";

const PER_PAGE = 20;
const TURNS_PER_PAGE = 30;
const TYPING_MS = 200;

export function Conversations({ link, chosen, choose, act, version }) {
  if (chosen) {
    return html`<${Conversation} key=${chosen} link=${link} sessionId=${chosen} choose=${choose} act=${act} version=${version} />`;
  }
  return html`<${SessionList} link=${link} choose=${choose} version=${version} />
    <${ChatBox} link=${link} sessionId="" onEnd=${(id) => id && choose(id)} />`;
}

function SessionList({ link, choose, version }) {
  const [query, setQuery] = useState("");
  const [page, setPage] = useState(null);
  const [error, setError] = useState("");
  const load = async (before, isWanted) => {
    try {
      const { data } = await link.call("list_sessions", { limit: PER_PAGE, ...(query && { query }), ...(before && { before }) });
      if (!isWanted()) return;
      setError("");
      setPage((known) => ({ ...data, sessions: [...(before ? known.sessions : []), ...(data.sessions ?? [])] }));
    } catch (problem) {
      if (isWanted()) setError(problem.message);
    }
  };
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(() => load("", () => !isOver), query ? TYPING_MS : 0);
    return () => { isOver = true; clearTimeout(timer); };
  }, [query, version]);
  const sessions = page?.sessions ?? [];
  return html`<section aria-label="Conversations">
    <label>Search<input type="search" value=${query} onInput=${(event) => setQuery(event.target.value)} /></label>
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    <ul class="rows">${sessions.map((session) => html`<li key=${session.session_id}>
      <button class="link" onClick=${() => choose(session.session_id)}>${session.title || session.session_id}</button>
      <span class="quiet">${counted(session.turns, "turn")}, ${ago(Date.parse(session.updated_at_utc))}${session.unfinished ? `, ${session.unfinished}` : ""}</span>
      ${session.match && html`<span class="tail">${session.match}</span>`}
    </li>`)}</ul>
    ${page && sessions.length === 0 && html`<p class="quiet">${query ? "Nothing is found." : "There is no conversation yet."}</p>`}
    ${page?.next_before && html`<p class="buttons"><button onClick=${() => load(page.next_before, () => true)}>Show more of ${whole(page.total)}</button></p>`}
  </section>`;
}

function Conversation({ link, sessionId, choose, act, version }) {
  const [page, setPage] = useState(null);
  const [offset, setOffset] = useState(null);
  const [count, setCount] = useState(0);
  const [error, setError] = useState("");
  const heading = useRef();
  useEffect(() => { heading.current?.focus(); }, []);
  useEffect(() => {
    let isOver = false;
    readTurns(link, sessionId, offset).then(
      (data) => { if (!isOver) { setPage(data); setError(""); } },
      (problem) => { if (!isOver) setError(problem.message); },
    );
    return () => { isOver = true; };
  }, [sessionId, offset, count, version]);
  const change = async (what, tool, args = {}) => {
    const made = await act(what, tool, { session_id: sessionId, ...args });
    setCount((before) => before + 1);
    return made;
  };
  const fork = async () => {
    const made = await change("Copy", "fork_session");
    if (made) choose(made.data.session_id);
  };
  const remove = async () => { if (await change("Delete", "delete_session")) choose(null); };
  return html`<article aria-label="Conversation">
    <h2 tabindex="-1" ref=${heading}>${page?.session?.title ?? "…"}</h2>
    <p class="buttons"><button onClick=${() => choose(null)}>Back</button>
      <${Rename} title=${page?.session?.title ?? ""} rename=${(title) => change("Rename", "update_session", { title })} />
      <button onClick=${fork}>Copy</button>
      ${page?.session?.unfinished && html`<button onClick=${() => change("Cancel", "cancel_reply")}>Cancel the reply</button>`}
      <${Twice} label="Delete" sure="Delete for good" onClick=${remove} /></p>
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    ${page?.offset > 0 && html`<p class="buttons"><button onClick=${() => setOffset(Math.max(0, page.offset - TURNS_PER_PAGE))}>Earlier turns</button></p>`}
    ${(page?.turns ?? []).map((turn) => html`<${Turn} key=${turn.turn} turn=${turn} openLink=${link.openLink} />`)}
    ${page?.next_offset && html`<p class="buttons"><button onClick=${() => setOffset(page.next_offset)}>Later turns</button></p>`}
    <${ChatBox} link=${link} sessionId=${sessionId} onEnd=${() => { setOffset(null); setCount((before) => before + 1); }} />
  </article>`;
}

// Without an offset the last turns.
async function readTurns(link, sessionId, offset) {
  const read = (from) => link.call("read_session", { session_id: sessionId, offset: from, limit: TURNS_PER_PAGE });
  if (offset !== null) return (await read(offset)).data;
  const { data } = await read(0);
  return data.total > TURNS_PER_PAGE ? (await read(data.total - TURNS_PER_PAGE)).data : data;
}

function Rename({ title, rename }) {
  const [draft, setDraft] = useState(null);
  if (draft === null) return html`<button onClick=${() => setDraft(title)}>Rename</button>`;
  const save = (event) => {
    event.preventDefault();
    if (draft.trim()) rename(draft.trim());
    setDraft(null);
  };
  return html`<form class="inline" onSubmit=${save}>
    <label>Title<input value=${draft} onInput=${(event) => setDraft(event.target.value)} /></label>
    <button class="main">Save</button> <button type="button" onClick=${() => setDraft(null)}>Leave it</button></form>`;
}

function Turn({ turn, openLink }) {
  return html`<div class="turn">
    <p class="said lines">${turn.message}</p>
    ${(turn.files ?? []).length > 0 && html`<p class="quiet">With ${turn.files.map((file) => file.file ?? file.path ?? file.name).join(", ")}</p>`}
    ${turn.reasoning && html`<details><summary>Reasoning</summary><p class="lines">${turn.reasoning}</p></details>`}
    <${Markdown} text=${turn.reply} openLink=${openLink} />
    ${turn.status !== "complete" && html`<p class="quiet">${turn.status}${turn.error ? `: ${turn.error}` : ""}</p>`}
    <p class="quiet">${figuresOf(turn)}</p>
  </div>`;
}

export function figuresOf(turn) {
  const { timing = {}, usage = {} } = turn;
  return [
    timing.tokens_per_second && `${number(timing.tokens_per_second)} tokens/s`,
    timing.first_token_ms && `first token after ${whole(timing.first_token_ms)} ms`,
    usage.cached_tokens !== undefined && usage.cached_tokens !== null && `${whole(usage.cached_tokens)} of ${whole(usage.prompt_tokens)} prompt tokens cached`,
    usage.completion_tokens && `${whole(usage.completion_tokens)} tokens written`,
  ].filter(Boolean).join(", ");
}
