import type { JsonRpcParams, RequestId } from "./jsonrpc.ts";

/** `_meta` of a request, notification or result. */
export interface Meta {
  /** Asks for `notifications/progress` with this token. */
  progressToken?: RequestId | undefined;
  /** Anything else; keys have a reverse-DNS prefix. */
  [key: string]: unknown;
}

/** What all parameters may carry. */
export interface WithMeta {
  /** Metadata. */
  _meta?: Meta | undefined;
}

/** What all results may carry; members of other revisions pass through. */
export interface McpResult extends WithMeta {
  /** Since 2026-07-28: `complete` or `input_required`. */
  resultType?: string | undefined;
  /** Anything else. */
  [key: string]: unknown;
}

/** Who implements a client or server. */
export interface Implementation {
  /** A name for programs. */
  name: string;
  /** Its version. */
  version: string;
  /** A name for people. */
  title?: string | undefined;
  /** Anything else: icons, website. */
  [key: string]: unknown;
}

/** What a client or server can do: a name, and details. */
export type Capabilities = { [name: string]: JsonRpcParams | undefined };

/** Parameters of `initialize`. */
export interface InitializeParams extends WithMeta {
  /** The revision the client wants. */
  protocolVersion: string;
  /** What the client can do. */
  capabilities: Capabilities;
  /** Who the client is. */
  clientInfo: Implementation;
}

/** Result of `initialize`. */
export interface InitializeResult extends McpResult {
  /** The revision that is spoken. */
  protocolVersion: string;
  /** What the server can do. */
  capabilities: Capabilities;
  /** Who the server is. */
  serverInfo: Implementation;
  /** How to use the server. */
  instructions?: string | undefined;
}

/** Result of `server/discover` (2026-07-28). */
export interface DiscoverResult extends McpResult {
  /** The revisions the server speaks. */
  supportedVersions: string[];
  /** What the server can do. */
  capabilities: Capabilities;
  /** How to use the server. */
  instructions?: string | undefined;
}

/** Parameters of every list. */
export interface ListParams extends WithMeta {
  /** Where to go on. */
  cursor?: string | undefined;
}

/** A tool. */
export interface Tool {
  /** What it is called by. */
  name: string;
  /** A name for people. */
  title?: string | undefined;
  /** What it does. */
  description?: string | undefined;
  /** A JSON Schema of its arguments. */
  inputSchema: { type: "object"; [key: string]: unknown };
  /** Hints, such as `readOnlyHint` and `idempotentHint`. */
  annotations?: {
    readOnlyHint?: boolean;
    idempotentHint?: boolean;
    [key: string]: unknown;
  };
  /** Anything else. */
  [key: string]: unknown;
}

/** Result of `tools/list`. */
export interface ListToolsResult extends McpResult {
  /** The tools. */
  tools: Tool[];
  /** Where to go on, if there is more. */
  nextCursor?: string | undefined;
}

/** Parameters of `tools/call`. */
export interface CallToolParams extends WithMeta {
  /** The tool. */
  name: string;
  /** Its arguments. */
  arguments?: { [key: string]: unknown } | undefined;
  /** Anything else, such as `inputResponses`. */
  [key: string]: unknown;
}

/** One piece of what a tool, prompt or model says. */
export interface ContentBlock {
  /** `text`, `image`, `audio`, `resource` or `resource_link`. */
  type: string;
  /** The text, where `type` is `text`. */
  text?: string | undefined;
  /** Anything else. */
  [key: string]: unknown;
}

/** Result of `tools/call`. */
export interface CallToolResult extends McpResult {
  /** What the tool says. */
  content: ContentBlock[];
  /** The same for programs. */
  structuredContent?: { [key: string]: unknown } | undefined;
  /** Whether the tool failed. */
  isError?: boolean | undefined;
}

/** Something that can be read. */
export interface Resource {
  /** What it is read by. */
  uri: string;
  /** A name for programs. */
  name: string;
  /** What it holds. */
  description?: string | undefined;
  /** Its media type. */
  mimeType?: string | undefined;
  /** Anything else. */
  [key: string]: unknown;
}

/** Result of `resources/list`. */
export interface ListResourcesResult extends McpResult {
  /** The resources. */
  resources: Resource[];
  /** Where to go on, if there is more. */
  nextCursor?: string | undefined;
}

/** Result of `resources/templates/list`. */
export interface ListResourceTemplatesResult extends McpResult {
  /** The templates. */
  resourceTemplates: {
    uriTemplate: string;
    name: string;
    [key: string]: unknown;
  }[];
  /** Where to go on, if there is more. */
  nextCursor?: string | undefined;
}

/** Parameters that name a resource. */
export interface ResourceParams extends WithMeta {
  /** The resource. */
  uri: string;
}

/** Result of `resources/read`. */
export interface ReadResourceResult extends McpResult {
  /** What it holds: `text` or base64 in `blob`. */
  contents: { uri: string; mimeType?: string; text?: string; blob?: string }[];
}

/** Result of `prompts/list`. */
export interface ListPromptsResult extends McpResult {
  /** The prompts. */
  prompts: { name: string; description?: string; [key: string]: unknown }[];
  /** Where to go on, if there is more. */
  nextCursor?: string | undefined;
}

/** Parameters of `prompts/get`. */
export interface GetPromptParams extends WithMeta {
  /** The prompt. */
  name: string;
  /** Its arguments. */
  arguments?: { [name: string]: string } | undefined;
}

/** Result of `prompts/get`. */
export interface GetPromptResult extends McpResult {
  /** What it is about. */
  description?: string | undefined;
  /** The messages for the model. */
  messages: { role: "user" | "assistant"; content: ContentBlock }[];
}

/** Parameters of `completion/complete`. */
export interface CompleteParams extends WithMeta {
  /** What is completed. */
  ref: { type: string; [key: string]: unknown };
  /** Which argument, and what is typed so far. */
  argument: { name: string; value: string };
  /** Arguments that are settled. */
  context?: { arguments?: { [name: string]: string } } | undefined;
}

/** Result of `completion/complete`. */
export interface CompleteResult extends McpResult {
  /** The proposals. */
  completion: { values: string[]; total?: number; hasMore?: boolean };
}

/** What a `subscriptions/listen` asks for, and what is acknowledged (2026-07-28). */
export interface SubscriptionFilter {
  /** Changes of the list of tools. */
  toolsListChanged?: boolean | undefined;
  /** Changes of the list of prompts. */
  promptsListChanged?: boolean | undefined;
  /** Changes of the list of resources. */
  resourcesListChanged?: boolean | undefined;
  /** Changes of these resources. */
  resourceSubscriptions?: string[] | undefined;
}

/** Parameters of `subscriptions/listen` (2026-07-28). */
export interface ListenParams extends WithMeta {
  /** What to listen for. */
  notifications: SubscriptionFilter;
}

/** Parameters of `sampling/createMessage`. */
export interface CreateMessageParams extends WithMeta {
  /** The conversation. */
  messages: {
    role: "user" | "assistant";
    content: ContentBlock | ContentBlock[];
  }[];
  /** The longest answer, in tokens. */
  maxTokens: number;
  /** Anything else. */
  [key: string]: unknown;
}

/** Result of `sampling/createMessage`. */
export interface CreateMessageResult extends McpResult {
  /** Who speaks. */
  role: "user" | "assistant";
  /** What the model says. */
  content: ContentBlock | ContentBlock[];
  /** The model. */
  model: string;
}

/** Parameters of `elicitation/create`. */
export interface ElicitParams extends WithMeta {
  /** What to ask the user. */
  message: string;
  /** Anything else, such as `requestedSchema`. */
  [key: string]: unknown;
}

/** Result of `elicitation/create`. */
export interface ElicitResult extends McpResult {
  /** What the user did. */
  action: "accept" | "decline" | "cancel";
  /** What the user filled in. */
  content?: { [key: string]: unknown } | undefined;
}

/** Result of `roots/list`. */
export interface ListRootsResult extends McpResult {
  /** The roots. */
  roots: { uri: string; name?: string }[];
}

/** A method: what it takes and what it gives. */
export interface MethodShape {
  /** The type of its parameters; absent or optional if it needs none. */
  params?: unknown;
  /** The type of its result. */
  result: unknown;
}

/** What a client can ask a server, in both eras. */
export interface McpMethods {
  /** Opens a session (until 2025-11-25). */
  "initialize": { params: InitializeParams; result: InitializeResult };
  /** Proof of life (until 2025-11-25). */
  "ping": { params?: WithMeta; result: McpResult };
  /** Who the server is and what it can do (since 2026-07-28). */
  "server/discover": { params?: WithMeta; result: DiscoverResult };
  /** Lists tools. */
  "tools/list": { params?: ListParams; result: ListToolsResult };
  /** Calls a tool. */
  "tools/call": { params: CallToolParams; result: CallToolResult };
  /** Lists resources. */
  "resources/list": { params?: ListParams; result: ListResourcesResult };
  /** Lists templates of resources. */
  "resources/templates/list": {
    params?: ListParams;
    result: ListResourceTemplatesResult;
  };
  /** Reads a resource. */
  "resources/read": { params: ResourceParams; result: ReadResourceResult };
  /** Asks for `notifications/resources/updated` (until 2025-11-25). */
  "resources/subscribe": { params: ResourceParams; result: McpResult };
  /** Ends a subscription (until 2025-11-25). */
  "resources/unsubscribe": { params: ResourceParams; result: McpResult };
  /** Lists prompts. */
  "prompts/list": { params?: ListParams; result: ListPromptsResult };
  /** Fills in a prompt. */
  "prompts/get": { params: GetPromptParams; result: GetPromptResult };
  /** Completes an argument. */
  "completion/complete": { params: CompleteParams; result: CompleteResult };
  /** Sets the level of `notifications/message` (until 2025-11-25). */
  "logging/setLevel": {
    params: WithMeta & { level: string };
    result: McpResult;
  };
  /** Listens for changes until it is cancelled (since 2026-07-28). */
  "subscriptions/listen": { params: ListenParams; result: McpResult };
}

/** What a server can ask a client (until 2025-11-25). */
export interface McpClientMethods {
  /** Proof of life. */
  "ping": { params?: WithMeta; result: McpResult };
  /** Asks the client's model. */
  "sampling/createMessage": {
    params: CreateMessageParams;
    result: CreateMessageResult;
  };
  /** Asks the client's user. */
  "elicitation/create": { params: ElicitParams; result: ElicitResult };
  /** Lists the folders the client works in. */
  "roots/list": { params?: WithMeta; result: ListRootsResult };
}
