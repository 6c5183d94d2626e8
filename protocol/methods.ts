import type { MethodShape } from "./mcp_types.ts";
import type { RequestOptions } from "./peer_options.ts";

/** A table of methods, such as {@linkcode McpMethods}. */
export type MethodTable<Methods> = { [Name in keyof Methods]: MethodShape };

/** What follows the method's name in a call: required parameters must be given. */
export type RequestArguments<Shape, Options = RequestOptions> = Shape extends
  { params: infer Params } ? [params: Params, options?: Options]
  : Shape extends { params?: infer Params } ? [params?: Params, options?: Options]
  : [params?: undefined, options?: Options];

/** The parameters a handler gets; where none were sent, an empty object. */
export type HandlerParams<Shape> = Shape extends { params: infer Params } ? Params
  : Shape extends { params?: infer Params } ? NonNullable<Params>
  : Record<string, unknown>;

/** What a method gives. */
export type ResultOf<Shape> = Shape extends { result: infer Result } ? Result
  : never;

/**
 * A method that the table does not know. Used as `method: Name & CustomMethod<Name, Methods>`,
 * so that a known method with wrong parameters is not taken for a custom one.
 */
export type CustomMethod<Name extends string, Methods> = Name extends keyof Methods ? never
  : unknown;
