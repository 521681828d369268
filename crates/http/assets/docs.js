// Starts Swagger UI. Tokens that are given to it end with the page.
"use strict";
(() => {
  const docs = document.getElementById("docs");
  const isRead = (method) => ["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
  const csrfToken = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1];

  SwaggerUIBundle({
    url: docs.dataset.schema + "?format=json",
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
