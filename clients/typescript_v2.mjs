/**
 * Takes the walk with the TypeScript SDK v2.
 *
 *     node typescript_v2.mjs COMMAND legacy|modern
 *
 * COMMAND is the installed llama-mcp. In the modern era v2 spawns it twice: a probe asks what it
 * speaks and is ended by SIGTERM, then comes the real one.
 */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

import { Heard, report, serverVariables, walk } from "./walk.mjs";

const [command, era] = process.argv.slice(2);
const heard = new Heard();
const mode = era === "modern" ? "auto" : "legacy";
const client = new Client(
  { name: "typescript-v2", version: "1" },
  { versionNegotiation: { mode } },
);
client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
  heard.updated.add(params.uri);
});
client.setNotificationHandler("notifications/resources/list_changed", () => {
  heard.listChanged = true;
});

async function subscribe(uris) {
  if (era === "modern") {
    await client.listen({ resourceSubscriptions: uris, resourcesListChanged: true });
  } else {
    for (const uri of uris) await client.subscribeResource({ uri });
  }
}

await client.connect(new StdioClientTransport({ command, env: serverVariables() }));
const done = await walk({
  heard,
  listTools: async () => (await client.listTools()).tools,
  listResources: async () => (await client.listResources()).resources,
  listResourceTemplates: async () => (await client.listResourceTemplates()).resourceTemplates,
  call: (name, given, options) => client.callTool({ name, arguments: given }, options),
  read: async (uri) => (await client.readResource({ uri })).contents[0].text,
  listPrompts: async () => (await client.listPrompts()).prompts,
  getPrompt: async (name, given) => (await client.getPrompt({ name, arguments: given })).messages,
  complete: async (ref, argument) => (await client.complete({ ref, argument })).completion.values,
  subscribe,
});
const version = client.getNegotiatedProtocolVersion();
await client.close();
report(version, era, done);
