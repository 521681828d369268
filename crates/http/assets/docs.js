// Starts Swagger UI. Tokens that are given to it end with the page.
"use strict";
(async () => {
  const docs = document.getElementById("docs");
  const isRead = (method) => ["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
  const csrfToken = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1];

  // No script can set the cookie of a session, so that "Authorize" should not ask for it: there is a link to log in.
  const withoutSession = (spec) => {
    delete spec.components.securitySchemes.session;
    for (const operation of Object.values(spec.paths).flatMap((item) => Object.values(item))) {
      if (operation.security) operation.security = operation.security.filter((proof) => !("session" in proof));
    }
    return spec;
  };

  let spec;
  try {
    const answer = await fetch(docs.dataset.schema + "?format=json");
    if (!answer.ok) throw new Error(answer.status);
    spec = withoutSession(await answer.json());
    // Requests go to the origin of this page, also behind a proxy whose scheme the server does not know.
    spec.servers = [{ url: location.origin }];
  } catch (error) {
    docs.textContent = "The document could not be loaded: " + error.message + ". Reload the page to try again.";
    return;
  }
  SwaggerUIBundle({
    spec,
    domNode: docs,
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    // Who is logged in in this browser needs no token, but must prove that the request comes from here.
    requestInterceptor: (request) => {
      const token = csrfToken();
      if (token && !isRead(request.method || "GET") && !request.headers.Authorization) {
        request.headers["X-CSRFToken"] = token;
      }
      return request;
    },
  });
})();
