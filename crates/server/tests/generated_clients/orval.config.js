// The configuration of orval, which generates a client from the OpenAPI document: see ../../../../scripts/generated-client.
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
