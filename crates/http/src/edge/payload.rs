//! Limits the bodies of requests, discards those that no handler has read, and tells the connection what it waits for.
//!
//! actix reads the body of `CONNECT` and of `Upgrade: websocket` until the client closes the connection, whatever
//! `Content-Length` says, and it reads on without a time limit after a response to a chunked request whose body was
//! dropped. Here each body has the length that RFC 9112 gives it, and the rest of it is discarded within limits.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, RequestHead, ServiceRequest, ServiceResponse},
    error::{InternalError, PayloadError},
    http::{
        ConnectionType, Method, StatusCode,
        header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    },
    middleware::Next,
    web::Bytes,
};
use futures_util::{Stream, StreamExt as _};
use tokio::time::timeout;

use crate::{
    edge::{
        connections::{Activity, Handling},
        timeouts::time_for_body,
    },
    request::headers,
};

/// Maximum number of bytes that are read of a body, including those that are discarded.
const MAX_RECEIVED: usize = 24 * 1024 * 1024;

/// The rest of a body has the timeout of a body with this number of bytes, unless the client pauses.
const TIMED_AS: usize = 1024 * 1024;

/// Middleware that passes on a body with an end, and reads the rest of it before the response is sent. A client that
/// reads only after it has sent everything then gets the response instead of a connection reset. If the body does not
/// end within the limits, or nothing of it arrives for `pause`, the connection is closed after the response.
pub(crate) async fn bound(
    pause: Duration,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_upgrade = is_upgrade(request.head());
    let unread = match request.take_payload() {
        Payload::None => None,
        payload => Some(Incoming::new(payload, request.head())),
    };
    let activity = request.conn_data::<Rc<Activity>>().cloned();
    let handling = activity.as_ref().map(Activity::handle);
    if let Some(incoming) = &unread {
        incoming.0.borrow_mut().activity.clone_from(&activity);
        let payload = Box::pin(incoming.clone());
        request.set_payload(Payload::Stream { payload });
    }
    let exchange = Exchange {
        unread,
        handling,
        is_upgrade,
        time_for_rest: time_for_body(request.headers(), TIMED_AS),
        pause,
    };
    match next.call(request).await {
        Ok(response) => {
            let (http, response) = response.into_parts();
            let response = exchange.finish(response.map_into_boxed_body()).await;
            Ok(ServiceResponse::new(http, response))
        }
        Err(error) => {
            let response = exchange.finish(error.error_response()).await;
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// A request whose response is to be sent.
struct Exchange {
    unread: Option<Incoming>,
    handling: Option<Handling>,
    is_upgrade: bool,
    /// Maximum time for the rest of the body.
    time_for_rest: Duration,
    /// Maximum time without a byte of the body.
    pause: Duration,
}

impl Exchange {
    /// Receives the rest of the request's body within the time limit, and prepares the connection for the next request.
    async fn finish(self, mut response: HttpResponse) -> HttpResponse {
        let is_crowded = self.handling.as_ref().is_some_and(Handling::is_crowded);
        if self.is_upgrade || is_crowded {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        if self.is_upgrade {
            // actix would announce chunks and send none.
            response.head_mut().no_chunking(true);
        }
        let mut unread = self.unread;
        // The time of a body that was too slow is over.
        if let Some(incoming) = &mut unread
            && response.status() != StatusCode::REQUEST_TIMEOUT
        {
            drop(timeout(self.time_for_rest, incoming.discard(self.pause)).await);
        }
        let incoming = unread.filter(|incoming| !incoming.is_over());
        response.map_body(|_, body| Unfinished::wrap(body, incoming, self.handling))
    }
}

/// Returns whether the client requests another protocol, so that actix would not reuse the connection.
fn is_upgrade(head: &RequestHead) -> bool {
    head.method == Method::CONNECT
        || head.connection_type() == ConnectionType::Upgrade
        || head
            .headers()
            .get_all(UPGRADE)
            .any(|value| headers::text(value).trim().eq_ignore_ascii_case("websocket"))
}

/// A body that is being received.
#[derive(Clone)]
struct Incoming(Rc<RefCell<Source>>);

struct Source {
    payload: Payload,
    /// The number of bytes that are still to come; unknown if the body is sent in chunks.
    left: Option<u64>,
    received: usize,
    is_over: bool,
    /// The connection, which reads no more bytes than are taken.
    activity: Option<Rc<Activity>>,
}

impl Incoming {
    fn new(payload: Payload, head: &RequestHead) -> Self {
        let length = || {
            headers::first(head.headers(), &CONTENT_LENGTH)?
                .trim()
                .parse()
                .ok()
        };
        let is_chunked = head.headers().contains_key(TRANSFER_ENCODING);
        let left = (!is_chunked).then(|| length().unwrap_or(0));
        Self(Rc::new(RefCell::new(Source {
            payload,
            left,
            received: 0,
            is_over: left == Some(0),
            activity: None,
        })))
    }

    fn is_over(&self) -> bool {
        self.0.borrow().is_over
    }

    /// Reads the rest and discards it, until nothing arrives for `pause`.
    async fn discard(&mut self, pause: Duration) {
        while self.0.borrow().received <= MAX_RECEIVED
            && matches!(timeout(pause, self.next()).await, Ok(Some(_)))
        {}
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next(context)
    }
}

impl Source {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(chunk) = self.payload.poll_next_unpin(context) else {
            self.activity.iter().for_each(|activity| activity.await_body());
            return Poll::Pending;
        };
        let Some(Ok(mut bytes)) = chunk else {
            self.is_over = true;
            let is_cut_off = chunk.is_none() && self.left.is_some();
            return Poll::Ready(if is_cut_off {
                Some(Err(PayloadError::Incomplete(None)))
            } else {
                chunk
            });
        };
        if let Some(left) = &mut self.left {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
            self.is_over = *left == 0;
        }
        self.received += bytes.len();
        self.activity
            .iter()
            .for_each(|activity| activity.take_body(bytes.len()));
        Poll::Ready(Some(Ok(bytes)))
    }
}

/// The body of a response that is made while it is sent, or of one to a request whose body has not ended. It keeps the
/// request's payload until the response is sent: only then does actix close the connection. If a chunked payload is
/// dropped before, actix keeps the connection and waits for the end of the payload without a limit.
struct Unfinished {
    body: BoxBody,
    _incoming: Option<Incoming>,
    _handling: Option<Handling>,
}

impl Unfinished {
    /// Wraps a body, unless it is complete and so is that of the request.
    fn wrap(mut body: BoxBody, incoming: Option<Incoming>, handling: Option<Handling>) -> BoxBody {
        if incoming.is_none() {
            if body.size() == BodySize::None {
                return body;
            }
            body = match body.try_into_bytes() {
                Ok(bytes) => return BoxBody::new(bytes),
                Err(body) => body,
            };
        }
        BoxBody::new(Self {
            body,
            _incoming: incoming,
            _handling: handling,
        })
    }
}

impl MessageBody for Unfinished {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match self.body.size() {
            // A body without a size is dropped before the response is sent.
            BodySize::None => BodySize::Sized(0),
            size => size,
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use actix_http::{HttpService, Protocol};
    use actix_service::{ServiceFactory as _, map_config};
    use actix_web::{
        App, HttpRequest,
        dev::{AppConfig, Service as _},
        error::ErrorBadGateway,
        http::header::HeaderName,
        middleware::from_fn,
        rt::{net::TcpStream, spawn},
        test::{TestRequest, init_service},
        web,
    };
    use futures_util::{FutureExt as _, stream};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        task::yield_now,
        time::{Instant, pause, sleep},
    };

    use super::*;
    use crate::{
        edge::{
            connections::{Connection, tests::connection},
            timeouts::wait_for_body,
        },
        request::{
            body::{Body, budget::BodyBudget},
            throttle::Key,
        },
    };

    fn incoming(headers: &[(&'static str, &str)], chunks: &[&'static str]) -> Incoming {
        let request = headers.iter().fold(TestRequest::post(), |request, header| {
            request.append_header(*header)
        });
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        let payload: Payload = Payload::Stream {
            payload: Box::pin(stream::iter(chunks)),
        };
        Incoming::new(payload, request.to_http_request().head())
    }

    async fn read(headers: &[(&'static str, &str)], chunks: &[&'static str]) -> Option<String> {
        let mut incoming = incoming(headers, chunks);
        let mut text = String::new();
        while let Some(chunk) = incoming.next().await {
            text.push_str(std::str::from_utf8(&chunk.ok()?).unwrap());
        }
        assert!(incoming.is_over());
        Some(text)
    }

    #[actix_web::test]
    async fn body_ends_at_its_declared_length() {
        let five = ("Content-Length", "5");
        let chunked = ("Transfer-Encoding", "chunked");
        for (headers, chunks, expected) in [
            (&[five][..], &["hello"][..], Some("hello")),
            (&[five], &["he", "llo and more", "and more"], Some("hello")),
            (&[five], &["he"], None),
            (&[five], &[], None),
            (&[("Content-Length", "0")], &["hello"], Some("")),
            (&[], &["hello"], Some("")),
            (&[chunked], &["hello", " and more"], Some("hello and more")),
            (&[chunked], &[], Some("")),
        ] {
            let text = read(headers, chunks).await;
            assert_eq!(text.as_deref(), expected, "{headers:?} {chunks:?}");
        }
    }

    #[actix_web::test]
    async fn body_without_length_is_not_waited_for() {
        let payload: Payload = Payload::Stream {
            payload: Box::pin(stream::pending()),
        };
        let request = TestRequest::get()
            .insert_header((UPGRADE, "websocket"))
            .to_http_request();
        let mut incoming = Incoming::new(payload, request.head());
        assert!(incoming.next().await.is_none());
    }

    const MIB: usize = 1024 * 1024;

    const PAUSE: Duration = Duration::from_secs(5);

    /// Sends a request. At `/read`, at most one MiB of its body is read; at `/fail`, the service fails; at other paths,
    /// the body is not read.
    async fn call(
        path: &str,
        header: (HeaderName, &str),
        body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> Result<ServiceResponse, Error> {
        let app = App::new()
            .route("/read", web::post().to(read_body))
            .default_service(web::to(|| async { HttpResponse::NotFound().body("refused") }))
            .wrap(from_fn(|request: ServiceRequest, next: Next<_>| async move {
                if request.path() == "/fail" {
                    return Err(ErrorBadGateway("failed"));
                }
                next.call(request).await
            }))
            .wrap(from_fn(|request, next| bound(PAUSE, request, next)));
        let service = init_service(app).await;
        let mut request = TestRequest::post().uri(path).insert_header(header).to_request();
        *request.payload() = Payload::Stream {
            payload: Box::pin(body),
        };
        service.call(request).await
    }

    async fn read_body(http: HttpRequest, payload: web::Payload) -> HttpResponse {
        let mut reservation = BodyBudget::new(MIB).reserve(Key::All);
        let body = wait_for_body(
            http.headers(),
            MIB,
            Body::read(&http, payload, MIB, &mut reservation),
        )
        .await;
        match body.map(|body| body.problem()) {
            Ok(None) => HttpResponse::Ok().finish(),
            Ok(Some(problem)) | Err(problem) => problem.response(),
        }
    }

    /// Sends a request to a service that does not read its body.
    async fn send(
        header: (HeaderName, &str),
        body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> ServiceResponse {
        call("/", header, body).await.unwrap()
    }

    /// Sends a request to a service that fails. Returns the response that actix sends then.
    async fn fail(
        header: (HeaderName, &str),
        body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> HttpResponse {
        let error = call("/fail", header, body).await.err().unwrap();
        error.error_response()
    }

    /// A body, in which every piece that is read adds its length to a number.
    fn counted(
        pieces: impl Stream<Item = Bytes>,
    ) -> (Rc<Cell<usize>>, impl Stream<Item = Result<Bytes, PayloadError>>) {
        let received = Rc::new(Cell::new(0));
        let counter = Rc::clone(&received);
        let body = pieces.map(move |piece| {
            counter.set(counter.get() + piece.len());
            Ok(piece)
        });
        (received, body)
    }

    /// Ten pieces of five bytes.
    fn hellos() -> impl Stream<Item = Bytes> {
        stream::repeat(Bytes::from_static(b"hello")).take(10)
    }

    /// A body that never ends, and a pointer that is shared as long as the body exists.
    fn endless() -> (Rc<()>, impl Stream<Item = Result<Bytes, PayloadError>>) {
        let alive = Rc::new(());
        let shared = Rc::clone(&alive);
        let body = stream::pending().inspect(move |_| drop(Rc::clone(&shared)));
        (alive, body)
    }

    #[actix_web::test]
    async fn body_is_received_before_the_response_of_a_failing_service() {
        let (received, body) = counted(hellos());
        let response = fail((CONTENT_LENGTH, "50"), body).await;
        assert_eq!((response.status().as_u16(), received.get()), (502, 50));
    }

    #[actix_web::test]
    async fn endless_body_outlives_response_of_failing_service() {
        pause();
        let start = Instant::now();
        let (alive, body) = endless();
        let response = fail((TRANSFER_ENCODING, "chunked"), body).await;
        assert_eq!(start.elapsed().as_secs(), PAUSE.as_secs());
        assert_eq!(Rc::strong_count(&alive), 2);
        let text = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        assert_eq!(text, "failed");
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    /// Uploads one MiB every 20 seconds to a path that reads one MiB. Returns the status and the number of MiB
    /// received.
    async fn upload(announced: (HeaderName, &str), mebibytes: usize) -> (u16, usize) {
        let received = Rc::new(Cell::new(0));
        let body = stream::iter(0..mebibytes * 8).then({
            let received = Rc::clone(&received);
            move |_| {
                let received = Rc::clone(&received);
                async move {
                    sleep(Duration::from_millis(2500)).await;
                    received.set(received.get() + MIB / 8);
                    Ok(Bytes::from(vec![b'a'; MIB / 8]))
                }
            }
        });
        let response = call("/read", announced, body).await.unwrap();
        (response.status().as_u16(), received.get() / MIB)
    }

    #[actix_web::test]
    async fn slow_upload_over_the_limit_is_received_before_413() {
        pause();
        for mebibytes in 2..=4 {
            let length = (mebibytes * MIB).to_string();
            for announced in [(CONTENT_LENGTH, &*length), (TRANSFER_ENCODING, "chunked")] {
                assert_eq!(upload(announced, mebibytes).await, (413, mebibytes));
            }
        }
    }

    #[actix_web::test]
    async fn unread_body_is_received_before_the_response() {
        let (received, body) = counted(hellos());
        let response = send((CONTENT_LENGTH, "50"), body).await;
        assert_eq!((response.status().as_u16(), received.get()), (404, 50));
    }

    #[actix_web::test]
    async fn endless_body_is_abandoned_and_outlives_response() {
        pause();
        let start = Instant::now();
        let (alive, body) = endless();
        let response = send((TRANSFER_ENCODING, "chunked"), body).await;
        assert_eq!(start.elapsed().as_secs(), PAUSE.as_secs());
        let (_, body) = response.into_parts();
        assert_eq!(
            Rc::strong_count(&alive),
            2,
            "actix must see that the body was not read"
        );
        let text = actix_web::body::to_bytes(body.into_body())
            .now_or_never()
            .unwrap()
            .unwrap();
        assert_eq!(text, "refused");
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    #[actix_web::test]
    async fn body_without_end_is_received_up_to_its_limit() {
        let (received, body) = counted(stream::repeat(Bytes::from(vec![b'a'; MIB])));
        let response = send((TRANSFER_ENCODING, "chunked"), body).await;
        assert_eq!(response.status().as_u16(), 404);
        assert_eq!(received.get(), MAX_RECEIVED + MIB);
    }

    /// Serves one connection. At `/slow`, the response has one piece and no end; it counts how often actix asks for the
    /// second one.
    async fn serve(polls: Rc<Cell<usize>>) -> TcpStream {
        let slow = move || {
            let (polls, mut is_first) = (Rc::clone(&polls), true);
            let pieces = stream::poll_fn(move |_| {
                polls.set(polls.get() + 1);
                if std::mem::take(&mut is_first) {
                    Poll::Ready(Some(Ok::<_, Error>(Bytes::from_static(b"first piece"))))
                } else {
                    Poll::Pending
                }
            });
            ready(HttpResponse::Ok().streaming(pieces))
        };
        let app = App::new()
            .route("/slow", web::route().to(slow))
            .wrap(from_fn(|request, next| bound(PAUSE, request, next)));
        let http = HttpService::build()
            .on_connect_ext(|connection: &Connection<TcpStream>, data| {
                data.insert(Rc::clone(&connection.activity));
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let service = http.new_service(()).await.unwrap();
        let (client, connection) = connection().await;
        spawn(service.call((connection, Protocol::Http1, None)));
        client
    }

    #[actix_web::test]
    async fn pipelined_requests_do_not_keep_the_worker_busy() {
        let quick = "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n".repeat(8000);
        let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
        let upload = format!(
            "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n{:020000}",
            0
        );
        for before in [slow.to_owned(), upload, quick.clone() + slow] {
            let polls = Rc::default();
            let mut client = serve(Rc::clone(&polls)).await;
            client.write_all(before.as_bytes()).await.unwrap();
            client.write_all(quick.as_bytes()).await.unwrap();
            let mut received = Vec::new();
            while !received.ends_with(b"first piece\r\n") {
                client.read_buf(&mut received).await.unwrap();
            }
            for _ in 0..2000 {
                yield_now().await;
            }
            assert!(polls.get() < 100, "{} polls", polls.get());
        }
    }

    #[test]
    fn upgrades_are_recognised_by_connection_method_and_websocket() {
        let is_upgrade = |request: TestRequest| is_upgrade(request.to_http_request().head());
        assert!(is_upgrade(TestRequest::default().method(Method::CONNECT)));
        assert!(is_upgrade(
            TestRequest::get().insert_header((UPGRADE, " WebSocket "))
        ));
        assert!(!is_upgrade(TestRequest::get().insert_header((UPGRADE, "h2c"))));
        assert!(!is_upgrade(TestRequest::get()));
    }
}
