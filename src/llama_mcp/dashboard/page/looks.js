// What the page has seen: the last look, and of earlier ones what plots and speeds need.

export const KEPT_SAMPLES = 1200;
export const KEPT_TURNS = 200;
// Looks that lie closer together give no speed.
const LEAST_SECONDS = 0.2;

export function nothingSeen() {
  return { snapshot: null, samples: [], ended: [], slots: new Map() };
}

// What the next look has to tell only what came after.
export function askFor(seen) {
  return seen.snapshot ? { since_utc: seen.snapshot.at_utc } : {};
}

// Empty lists are left out of what is told.
export function takeLook(seen, told) {
  const at = Date.parse(told.at_utc);
  const slots = withSpeeds(seen, told.slots ?? [], at);
  const ended = (told.ended ?? []).map((turn) => ({ ...turn, at: Date.parse(turn.ended_at_utc) }));
  const known = new Set(seen.ended.map(keyOf));
  const all = [...seen.ended, ...ended.filter((turn) => !known.has(keyOf(turn)))];
  const last = seen.samples.at(-1)?.at ?? 0;
  const samples = (told.samples ?? []).map((sample) => ({ ...sample, at: Date.parse(sample.at_utc) }));
  return {
    snapshot: { ...told, at, slots, turns: told.turns ?? [] },
    samples: [...seen.samples, ...samples.filter((sample) => sample.at > last)].slice(-KEPT_SAMPLES),
    ended: all.sort((one, other) => one.at - other.at).slice(-KEPT_TURNS),
    slots: new Map(slots.map((slot) => [slot.id, slot.generated_tokens ?? 0])),
  };
}

function keyOf(turn) {
  return `${turn.session_id}/${turn.turn}`;
}

// The speed of a slot is what it gained between two looks.
function withSpeeds(seen, slots, at) {
  const seconds = (at - (seen.snapshot?.at ?? at)) / 1000;
  return slots.map((slot) => {
    const gained = (slot.generated_tokens ?? 0) - (seen.slots.get(slot.id) ?? NaN);
    const isTold = slot.is_processing && seconds > LEAST_SECONDS && gained >= 0;
    return { ...slot, speed: isTold ? gained / seconds : null };
  });
}

export function speedNow(seen) {
  const slots = seen.snapshot?.slots ?? [];
  if (slots.length && !slots.some((slot) => slot.is_processing)) return 0;
  const speeds = slots.map((slot) => slot.speed).filter((speed) => speed !== null);
  if (speeds.length) return speeds.reduce((sum, speed) => sum + speed, 0);
  return seen.snapshot?.metrics?.generated_tokens_per_second_now ?? null;
}
