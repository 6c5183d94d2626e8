// graphql-ws with ws and graphql-js, as its recipes have it; it connects at once and stays.

const { GraphQLObjectType, GraphQLSchema, GraphQLString } = await import("graphql");
const { createClient } = await import("graphql-ws");
const { useServer } = await import("graphql-ws/use/ws");
const { WebSocket, WebSocketServer } = await import("ws");

const QUERY = "query Echo($data: String) { echo(data: $data) }";

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: "Query",
    fields: {
      echo: {
        type: GraphQLString,
        args: { data: { type: GraphQLString } },
        resolve: (_, { data }) => data,
      },
    },
  }),
});

export async function serve() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/graphql" });
  useServer({ schema }, server);
  await new Promise((resolve) => server.on("listening", resolve));
  return `ws://127.0.0.1:${server.address().port}/graphql`;
}

export async function connect(url) {
  const client = createClient({ url, webSocketImpl: WebSocket, lazy: false });
  await new Promise((resolve) => client.on("connected", resolve));
  return (variables) =>
    new Promise((resolve, reject) => {
      let result;
      client.subscribe({ query: QUERY, variables }, {
        next: ({ data }) => result = { data: data?.echo },
        error: reject,
        complete: () => resolve(result),
      });
    });
}
