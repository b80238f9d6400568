/**
 * Takes the walk with the TypeScript SDK v1, on which most hosts of today are built.
 *
 *     node typescript_v1.mjs COMMAND legacy
 *
 * COMMAND is the installed llama-mcp. v1 speaks the initialize era only.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

import { Heard, report, serverVariables, walk } from "./walk.mjs";

const command = process.argv[2];
const heard = new Heard();
const client = new Client({ name: "typescript-v1", version: "1" });
client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
  heard.updated.add(params.uri);
});
client.setNotificationHandler(ResourceListChangedNotificationSchema, () => {
  heard.listChanged = true;
});
const transport = new StdioClientTransport({ command, env: serverVariables() });
let version;
transport.setProtocolVersion = (negotiated) => {
  version = negotiated; // the only place where v1 tells it
};
await client.connect(transport);
const done = await walk({
  heard,
  listTools: async () => (await client.listTools()).tools,
  listResources: async () => (await client.listResources()).resources,
  listResourceTemplates: async () => (await client.listResourceTemplates()).resourceTemplates,
  call: (name, given, options) =>
    client.callTool({ name, arguments: given }, undefined, options),
  read: async (uri) => (await client.readResource({ uri })).contents[0].text,
  listPrompts: async () => (await client.listPrompts()).prompts,
  getPrompt: async (name, given) => (await client.getPrompt({ name, arguments: given })).messages,
  complete: async (ref, argument) => (await client.complete({ ref, argument })).completion.values,
  subscribe: async (uris) => {
    for (const uri of uris) await client.subscribeResource({ uri });
  },
});
await client.close();
report(version, "legacy", done);
