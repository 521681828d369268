// Starts Swagger UI. Its tokens end with the page.
"use strict";
(async () => {
  const docs = document.getElementById("docs");
  const isRead = (method) => ["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
  const csrfToken = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1];

  // Scripts cannot set the cookie of a session, so "Authorize" does not offer it: there is a link to log in.
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
    // Requests go to the origin of this page, also behind a proxy with a scheme that the server does not know.
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
    // Logged-in users need no token, but their requests need the CSRF token.
    requestInterceptor: (request) => {
      const token = csrfToken();
      if (token && !isRead(request.method || "GET") && !request.headers.Authorization) {
        request.headers["X-CSRFToken"] = token;
      }
      return request;
    },
  });
})();
