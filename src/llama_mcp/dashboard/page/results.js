// What a tool gave, whichever way it came.

export class ToolError extends Error {}

export function outcome(result) {
  const text = (result.content ?? []).map((part) => part.text ?? "").join("\n");
  if (result.isError) throw new ToolError(text || "The tool failed and did not say why.");
  return { data: result.structuredContent ?? {}, meta: result._meta ?? {}, text };
}
