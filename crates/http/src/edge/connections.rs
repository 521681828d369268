//! Limits of connections: how many an address may hold, and how long a client may hold one without progress.
//!
//! actix limits the time for the head of a connection's first request, and the time between two requests. It limits
//! neither the time for the head of a later request, nor the time for reading a response, nor the number of bytes that
//! it discards before it closes a connection, nor the responses to pipelined requests that a client does not read.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use crate::edge::client_addr::{TrustedProxies, network_of};

/// Maximum number of bytes that are read from a connection without a byte being written to it: more than the largest
/// body that is received.
const MAX_UNANSWERED: usize = 32 * 1024 * 1024;

/// Maximum number of bytes of further requests that are read while a request without a body is being handled. actix must
/// not buffer 128 KiB: then it asks for more all the time.
const MAX_PIPELINED: usize = 64 * 1024;

/// Number of bytes after which requests are run before more are read. actix runs all requests that it has read, and
/// buffers the responses without a limit.
const MAX_AT_ONCE: usize = 16 * 1024;

/// Counts the open connections of each address.
#[derive(Clone)]
pub(crate) struct Connections {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    /// Maximum number for each address; 0 if there is none.
    max_per_address: usize,
    /// Number of bits of the IPv6 networks that count as one address.
    ipv6_prefix: u8,
    proxies: TrustedProxies,
}

impl Connections {
    /// Counts nothing yet. Proxies and this machine itself have no limit: their connections are those of many clients.
    pub(crate) fn new(max_per_address: usize, ipv6_prefix: u8, proxies: TrustedProxies) -> Self {
        Self {
            open: Arc::default(),
            max_per_address,
            ipv6_prefix,
            proxies,
        }
    }

    /// Counts a connection from an address until it is dropped; `None` if the address has too many.
    pub(crate) fn admit(&self, stream: TcpStream, address: IpAddr) -> Option<Connection> {
        let address = address.to_canonical();
        let is_limited = self.max_per_address > 0 && !address.is_loopback() && !self.proxies.trust(address);
        let place = if is_limited {
            Some(self.take_place(network_of(address, self.ipv6_prefix))?)
        } else {
            None
        };
        Some(Connection {
            stream,
            activity: Rc::default(),
            _place: place,
        })
    }

    fn take_place(&self, network: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= self.max_per_address {
            return None;
        }
        *count += 1;
        Some(Place {
            open: Arc::clone(&self.open),
            network,
        })
    }
}

/// The place of a connection among those of its address, free again when it is dropped.
struct Place {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

/// A connection that notes its activity.
pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) activity: Rc<Activity>,
    _place: Option<Place>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.unanswered.get() > MAX_UNANSWERED {
            // The end of the stream.
            return Poll::Ready(Ok(()));
        }
        if self.activity.must_wait() {
            *self.activity.reader.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        if self.activity.has_read_enough() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.activity.note_read(buffer.filled().len() - before);
        Poll::Ready(result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.note_write(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The activity of a connection, and whether it waits for the client.
#[derive(Default)]
pub(crate) struct Activity {
    /// Number of bytes read since the last byte written.
    unanswered: Cell<usize>,
    /// Number of bytes read since requests were last run.
    not_run: Cell<usize>,
    /// Whether the request that is being handled has a body.
    has_body: Cell<bool>,
    /// Wakes the task that reads the next requests.
    reader: RefCell<Option<Waker>>,
    /// Whether a request is being handled, so that bytes that are read are its body.
    is_handling: Cell<bool>,
    /// Whether the head of a request has begun and not ended.
    awaits_head: Cell<bool>,
    /// Whether a response waits because the client does not read.
    awaits_reader: Cell<bool>,
    /// Increases whenever the client or the server does something.
    progress: Cell<u64>,
}

impl Activity {
    /// Notes that a request is being handled until the result is dropped.
    pub(crate) fn handle(self: &Rc<Self>, has_body: bool) -> Handling {
        self.is_handling.set(true);
        self.has_body.set(has_body);
        self.awaits_head.set(false);
        self.advance();
        Handling(Rc::clone(self))
    }

    /// Notes that the body of the request has ended: what follows are other requests.
    pub(crate) fn end_body(&self) {
        self.has_body.set(false);
        self.unanswered.set(0);
    }

    /// Returns whether the next requests wait: until the client reads, or until many bytes before are answered.
    fn must_wait(&self) -> bool {
        let is_pipelining = self.is_handling.get() && !self.has_body.get();
        self.awaits_reader.get() || is_pipelining && self.unanswered.get() > MAX_PIPELINED
    }

    /// Returns whether the requests that were read are to be run before more are read.
    fn has_read_enough(&self) -> bool {
        let has_enough = !self.has_body.get() && self.not_run.get() >= MAX_AT_ONCE;
        if has_enough {
            self.not_run.set(0);
        }
        has_enough
    }

    fn note_read(&self, bytes: usize) {
        self.not_run.set(self.not_run.get() + bytes);
        self.unanswered.set(self.unanswered.get() + bytes);
        if bytes > 0 && !self.is_handling.get() && !self.awaits_head.replace(true) {
            self.advance();
        }
    }

    fn note_write(&self, is_blocked: bool) {
        if !is_blocked {
            self.unanswered.set(0);
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        if self.awaits_reader.replace(is_blocked) != is_blocked || !is_blocked {
            self.advance();
        }
    }

    fn advance(&self) {
        self.progress.set(self.progress.get().wrapping_add(1));
    }

    /// Ends when the connection has waited for the client without progress for `limit`, and at most twice as long. So
    /// a connection has one timer, which no request has to set.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            let before = self.progress.get();
            sleep(limit).await;
            let is_waiting = self.awaits_head.get() || self.awaits_reader.get();
            if is_waiting && self.progress.get() == before {
                return;
            }
        }
    }
}

/// A request that is being handled.
pub(crate) struct Handling(Rc<Activity>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.is_handling.set(false);
        self.0.has_body.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use actix_web::rt::net::TcpListener;
    use futures_util::{
        FutureExt as _,
        future::{Either, select},
        poll,
    };
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::{advance, pause},
    };

    use super::*;
    use crate::edge::client_addr::Networks;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Both ends of a new connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    /// A client, and the connection of the server.
    async fn connection() -> (TcpStream, Connection) {
        let (client, stream) = pair().await;
        let connection = connections().admit(stream, "192.0.2.1".parse().unwrap());
        (client, connection.unwrap())
    }

    /// Whether bytes that have arrived are not read now. The first poll may only run the requests before.
    async fn waits(connection: &mut Connection) -> bool {
        connection.stream.readable().await.unwrap();
        let mut buffer = [0; 1];
        let first = poll!(Box::pin(connection.read(&mut buffer))).is_pending();
        first && poll!(Box::pin(connection.read(&mut buffer))).is_pending()
    }

    #[actix_web::test]
    async fn further_requests_are_read_after_the_response() {
        let (mut client, mut connection) = connection().await;
        let handling = connection.activity.handle(false);
        let (sent, mut read, mut buffer) = (200_000, 0, [0; 8192]);
        client.write_all(&vec![0; sent]).await.unwrap();
        while read <= MAX_PIPELINED {
            read += connection.read(&mut buffer).await.unwrap();
        }
        assert!(waits(&mut connection).await);
        connection.write_all(b"response").await.unwrap();
        drop(handling);
        while read < sent {
            read += connection.read(&mut buffer).await.unwrap();
        }
    }

    #[actix_web::test]
    async fn requests_after_a_body_wait_for_its_response() {
        let (mut client, mut connection) = connection().await;
        let _handling = connection.activity.handle(true);
        let (sent, mut read, mut buffer) = (200_000, 0, [0; 8192]);
        client.write_all(&vec![0; sent]).await.unwrap();
        while read < sent {
            read += connection.read(&mut buffer).await.unwrap();
        }
        connection.activity.end_body();
        client.write_all(&vec![0; sent]).await.unwrap();
        while read <= sent + MAX_PIPELINED {
            read += connection.read(&mut buffer).await.unwrap();
        }
        assert!(waits(&mut connection).await);
    }

    #[actix_web::test]
    async fn requests_of_client_that_does_not_read_wait() {
        let (mut client, mut connection) = connection().await;
        client.write_all(b"next").await.unwrap();
        let response = vec![0; 1 << 20];
        connection.stream.writable().await.unwrap();
        while poll!(Box::pin(connection.write(&response))).is_ready() {}
        assert!(waits(&mut connection).await);
        let mut taken = vec![0; 1 << 20];
        loop {
            let written = Box::pin(connection.write(&response));
            let taking = Box::pin(client.read(&mut taken));
            if let Either::Left(_) = select(written, taking).await {
                break;
            }
        }
        let mut next = [0; 4];
        connection.read_exact(&mut next).await.unwrap();
        assert_eq!(&next, b"next");
    }

    fn connections() -> Connections {
        let proxies = Networks::new(&["10.0.0.0/8".to_owned()]).unwrap();
        Connections::new(2, 56, TrustedProxies(proxies))
    }

    #[actix_web::test]
    async fn address_has_so_many_connections_at_once() {
        let connections = connections();
        let admit = async |address: &str| connections.admit(pair().await.1, address.parse().unwrap());
        let first = admit("192.0.2.1").await;
        let _second = admit("::ffff:192.0.2.1").await.unwrap();
        assert!(admit("192.0.2.1").await.is_none());
        assert!(admit("192.0.2.2").await.is_some());
        drop(first);
        assert!(admit("192.0.2.1").await.is_some());
        let _network = (admit("2001:db8::1").await, admit("2001:db8::2").await);
        assert!(admit("2001:db8::3").await.is_none());
        assert!(admit("2001:db8:0:1::1").await.is_none(), "the same 56 bits");
        assert!(admit("2001:db8:0:100::1").await.is_some());
    }

    #[actix_web::test]
    async fn proxies_and_loopback_have_unlimited_connections() {
        let connections = connections();
        let mut open = Vec::new();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
            for _ in 0..4 {
                let admitted = connections.admit(pair().await.1, address.parse().unwrap());
                open.push(admitted.expect(address));
            }
        }
        assert!(connections.open.lock().unwrap().is_empty());
    }

    #[actix_web::test]
    async fn closed_connections_are_forgotten() {
        let connections = connections();
        let admitted = connections.admit(pair().await.1, Ipv4Addr::new(192, 0, 2, 1).into());
        assert_eq!(connections.open.lock().unwrap().len(), 1);
        drop(admitted);
        assert!(connections.open.lock().unwrap().is_empty());
    }

    #[actix_web::test]
    async fn bytes_beyond_the_limit_end_the_stream_until_something_is_written() {
        let (mut client, server) = pair().await;
        let mut connection = connections().admit(server, Ipv4Addr::LOCALHOST.into()).unwrap();
        client.write_all(b"more").await.unwrap();
        connection.activity.unanswered.set(MAX_UNANSWERED + 1);
        let mut buffer = [0; 4];
        assert_eq!(connection.read(&mut buffer).await.unwrap(), 0);
        connection.write_all(b"response").await.unwrap();
        assert_eq!(connection.read(&mut buffer).await.unwrap(), 4);
    }

    /// Returns after how many limits a connection counts as stalled, at most ten.
    async fn limits_until_stalled(activity: &Activity, mut each: impl FnMut()) -> Option<u32> {
        let mut stalled = std::pin::pin!(activity.stalled(LIMIT));
        assert!(poll!(stalled.as_mut()).is_pending());
        for limits in 1..=10 {
            each();
            // Timers have a resolution of a millisecond.
            advance(LIMIT + Duration::from_millis(1)).await;
            if stalled.as_mut().now_or_never().is_some() {
                return Some(limits);
            }
        }
        None
    }

    #[actix_web::test]
    async fn connection_that_awaits_nothing_is_never_stalled() {
        pause();
        let activity = Rc::new(Activity::default());
        assert_eq!(limits_until_stalled(&activity, || {}).await, None);
        activity.note_read(5);
        let _handling = activity.handle(false);
        activity.note_read(5);
        activity.note_write(false);
        assert_eq!(limits_until_stalled(&activity, || {}).await, None);
    }

    #[actix_web::test]
    async fn head_that_does_not_end_stalls_however_it_drips() {
        pause();
        let activity = Rc::new(Activity::default());
        drop(activity.handle(false));
        assert_eq!(
            limits_until_stalled(&activity, || activity.note_read(1)).await,
            Some(2)
        );
    }

    #[actix_web::test]
    async fn response_that_is_not_read_stalls_unless_some_is_read() {
        pause();
        let activity = Rc::new(Activity::default());
        activity.note_write(true);
        assert_eq!(limits_until_stalled(&activity, || {}).await, Some(1));
        let read_some = || {
            activity.note_write(false);
            activity.note_write(true);
        };
        assert_eq!(limits_until_stalled(&activity, read_some).await, None);
    }
}
