// How orval makes a client of the OpenAPI document: see ../../../../scripts/generated-client.
export default {
  mycars: {
    input: "../openapi.json",
    output: {
      target: "orval/mycars.ts",
      client: "fetch",
      baseUrl: { getBaseUrlFromSpecification: true },
    },
  },
};
