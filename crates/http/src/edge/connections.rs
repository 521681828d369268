//! Limits of connections: how many an address may hold, and how long a client may hold one without progress.
//!
//! actix limits the time for the head of a connection's first request, and the time between two requests. It limits
//! neither the time for the head of a later request, nor the time for reading a response, nor the number of bytes that
//! it discards before it closes a connection, nor the responses to pipelined requests that a client does not read. If it
//! has read 128 KiB of requests that it cannot run yet, it asks for more all the time.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use mycars_application::security_log::{Details, SecurityEvent};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use crate::edge::{
    client_addr::{TrustedProxies, network_of},
    sockets::Stream,
    tls::Tls,
};

/// Maximum number of bytes that are read from a connection without a byte being written to it: more than the largest
/// body that is received.
const MAX_UNANSWERED: usize = 32 * 1024 * 1024;

/// Number of bytes of bodies and further requests, not yet taken, from which on no more are read while a request is being
/// handled: so few that actix never buffers 128 KiB.
const MAX_AHEAD: usize = 32 * 1024;

/// Number of bytes after which requests are run before more are read. actix runs all requests that it has read, and
/// buffers the responses without a limit.
const MAX_AT_ONCE: usize = 16 * 1024;

/// The maximum numbers of open connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// That of all connections; actix does not accept further ones until another is closed.
    pub(crate) all: usize,
    /// That of the connections of one address; 0 if there is none.
    pub(crate) per_address: usize,
}

/// Counts the open connections, and those of each address.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Counts>);

struct Counts {
    limits: ConnectionLimits,
    all: Count,
    by_address: Mutex<HashMap<IpAddr, Arc<Count>>>,
    refused: AtomicU64,
    /// Number of bits of the IPv6 networks that count as one address.
    ipv6_prefix: u8,
    proxies: TrustedProxies,
}

/// A number of open connections.
#[derive(Default)]
struct Count {
    open: AtomicUsize,
    /// Whether the log has a line about the limit since the number was last below half of it.
    is_reported: AtomicBool,
}

impl Count {
    /// Returns whether the limit is to be reported: once until [`remove`](Self::remove) finds half of it free.
    fn report(&self) -> bool {
        !self.is_reported.swap(true, Ordering::Relaxed)
    }

    /// Removes a connection. Returns the number that remain.
    fn remove(&self, limit: usize) -> usize {
        let left = self.open.fetch_sub(1, Ordering::Relaxed) - 1;
        if left <= limit / 2 {
            self.is_reported.store(false, Ordering::Relaxed);
        }
        left
    }
}

impl Connections {
    /// Counts nothing yet. Proxies and this machine itself have no limit for each address: their connections are those
    /// of many clients.
    pub(crate) fn new(limits: ConnectionLimits, ipv6_prefix: u8, proxies: TrustedProxies) -> Self {
        Self(Arc::new(Counts {
            limits,
            all: Count::default(),
            by_address: Mutex::default(),
            refused: AtomicU64::new(0),
            ipv6_prefix,
            proxies,
        }))
    }

    /// Counts a connection from an address until it is dropped; `None` if the address has too many.
    pub(crate) fn admit<S>(&self, stream: S, address: IpAddr) -> Option<Connection<S>> {
        let counts = &self.0;
        let address = address.to_canonical();
        let is_limited =
            counts.limits.per_address > 0 && !address.is_loopback() && !counts.proxies.trust(address);
        let network = is_limited.then(|| network_of(address, counts.ipv6_prefix));
        let of_address = match network {
            Some(network) => Some((network, counts.take_place(network, address)?)),
            None => None,
        };
        let open = counts.all.open.fetch_add(1, Ordering::Relaxed) + 1;
        if open >= counts.limits.all && counts.all.report() {
            tracing::warn!(
                open,
                "all {open} connections are in use: further ones wait until one is closed"
            );
        }
        let place = Place {
            counts: Arc::clone(counts),
            of_address,
        };
        Some(Connection {
            stream,
            activity: Rc::new(Activity::new(Some(place))),
            is_encrypted: false,
        })
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.0.all.open.load(Ordering::Relaxed)
    }

    /// Returns the number of connections that were refused so far because their address had too many.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Counts {
    fn take_place(&self, network: IpAddr, address: IpAddr) -> Option<Arc<Count>> {
        let mut by_address = self.by_address();
        let count = by_address.entry(network).or_default();
        if count.open.load(Ordering::Relaxed) < self.limits.per_address {
            count.open.fetch_add(1, Ordering::Relaxed);
            return Some(Arc::clone(count));
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        if count.report() {
            SecurityEvent::RateExceeded.log(&Details {
                address: Some(address),
                detail: Some("connections"),
                ..Details::default()
            });
        }
        None
    }

    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Count>>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection among all and among those of its address, free again when it is dropped.
struct Place {
    counts: Arc<Counts>,
    /// The network whose connections are limited together, and their number.
    of_address: Option<(IpAddr, Arc<Count>)>,
}

impl Place {
    /// Returns whether more than half of the connections that the address may have are open.
    fn is_crowded(&self) -> bool {
        let half = self.counts.limits.per_address / 2;
        let of_address = self.of_address.as_ref();
        of_address.is_some_and(|(_, count)| count.open.load(Ordering::Relaxed) > half)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let limits = self.counts.limits;
        self.counts.all.remove(limits.all);
        if let Some((network, count)) = &self.of_address {
            let mut by_address = self.counts.by_address();
            if count.remove(limits.per_address) == 0 {
                by_address.remove(network);
            }
        }
    }
}

/// A connection that notes its activity.
pub(crate) struct Connection<S = Box<dyn Stream>> {
    stream: S,
    pub(crate) activity: Rc<Activity>,
    /// Whether the server itself has encrypted it.
    pub(crate) is_encrypted: bool,
}

impl<S: Stream + 'static> Connection<S> {
    /// Returns the connection as one of any kind.
    pub(crate) fn boxed(self) -> Connection {
        Connection {
            stream: Box::new(self.stream),
            activity: self.activity,
            is_encrypted: self.is_encrypted,
        }
    }

    /// Returns the connection with TLS, after the handshake.
    pub(crate) async fn encrypted(self, tls: &Tls) -> io::Result<Connection> {
        Ok(Connection {
            stream: Box::new(tls.accept(self.stream).await?),
            activity: self.activity,
            is_encrypted: true,
        })
    }
}

impl<S: Stream> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let activity = Rc::clone(&self.activity);
        if activity.unanswered.get() > MAX_UNANSWERED {
            // The end of the stream.
            return Poll::Ready(Ok(()));
        }
        let allowance = match activity.allowance() {
            Allowance::Bytes(bytes) => bytes,
            Allowance::AfterOthers => {
                activity.end_turn();
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Allowance::AfterProgress => {
                activity.end_turn();
                *activity.reader.borrow_mut() = Some(context.waker().clone());
                return Poll::Pending;
            }
        };
        let before = buffer.filled().len();
        let stream = Pin::new(&mut self.stream);
        let result = if buffer.remaining() <= allowance {
            stream.poll_read(context, buffer)
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(allowance));
            let result = stream.poll_read(context, &mut part);
            let read = part.filled().len();
            buffer.advance(read);
            result
        };
        if result.is_pending() {
            activity.end_turn();
        } else {
            activity.note_read(buffer.filled().len() - before);
        }
        result
    }
}

impl<S: Stream> AsyncWrite for Connection<S> {
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
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // TLS accepts bytes that the client does not read yet. Other streams have nothing to flush.
        if self.is_encrypted && (flushed.is_pending() || self.activity.awaits_reader.get()) {
            self.activity.note_write(flushed.is_pending());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The number of bytes that may be read now, or what comes before.
enum Allowance {
    Bytes(usize),
    /// The requests that were read are run first.
    AfterOthers,
    /// The request that is being handled, or the client that does not read, comes first.
    AfterProgress,
}

/// The activity of a connection, and whether it waits for the client.
#[derive(Default)]
pub(crate) struct Activity {
    place: Option<Place>,
    /// Number of bytes read since the last byte written.
    unanswered: Cell<usize>,
    /// Number of bytes read since requests were last run.
    not_run: Cell<usize>,
    /// Maximum number of bytes that were read and neither run as requests nor taken as a body.
    ahead: Cell<usize>,
    /// Whether something was read or run since actix last had to wait for bytes. If not, it has run all requests.
    may_be_ahead: Cell<bool>,
    /// Wakes the task that reads the next requests.
    reader: RefCell<Option<Waker>>,
    /// Whether a request is being handled or its response is being made.
    is_handling: Cell<bool>,
    /// Whether the head of a request has begun and not ended.
    awaits_head: Cell<bool>,
    /// Whether a response waits because the client does not read.
    awaits_reader: Cell<bool>,
    /// Increases whenever the client or the server does something.
    progress: Cell<u64>,
}

impl Activity {
    fn new(place: Option<Place>) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }

    /// Notes that a request is being handled until the result is dropped.
    pub(crate) fn handle(self: &Rc<Self>) -> Handling {
        self.is_handling.set(true);
        self.may_be_ahead.set(true);
        self.awaits_head.set(false);
        self.advance();
        Handling(Rc::clone(self))
    }

    /// Notes that bytes of a body were taken.
    pub(crate) fn take_body(&self, bytes: usize) {
        self.ahead.set(self.ahead.get().saturating_sub(bytes));
        self.wake_reader();
    }

    /// Notes that the body is needed further, and all that was read of it is taken.
    pub(crate) fn await_body(&self) {
        self.ahead.set(0);
        self.wake_reader();
    }

    fn allowance(&self) -> Allowance {
        if !self.may_be_ahead.get() && !self.is_handling.get() {
            self.ahead.set(0);
        }
        let is_ahead = self.ahead.get() >= MAX_AHEAD;
        if self.awaits_reader.get() || is_ahead && self.is_handling.get() {
            Allowance::AfterProgress
        } else if is_ahead || self.not_run.get() >= MAX_AT_ONCE {
            Allowance::AfterOthers
        } else {
            Allowance::Bytes(MAX_AT_ONCE - self.not_run.get())
        }
    }

    /// Notes that actix runs the requests that it has, because it can read no more bytes now.
    fn end_turn(&self) {
        self.not_run.set(0);
        self.may_be_ahead.set(false);
    }

    fn note_read(&self, bytes: usize) {
        self.not_run.set(self.not_run.get() + bytes);
        self.ahead.set(self.ahead.get() + bytes);
        self.unanswered.set(self.unanswered.get() + bytes);
        if bytes == 0 {
            return;
        }
        self.may_be_ahead.set(true);
        if !self.is_handling.get() && !self.awaits_head.replace(true) {
            self.advance();
        }
    }

    fn note_write(&self, is_blocked: bool) {
        if !is_blocked {
            self.unanswered.set(0);
            self.wake_reader();
        }
        if self.awaits_reader.replace(is_blocked) != is_blocked || !is_blocked {
            self.advance();
        }
    }

    fn wake_reader(&self) {
        self.reader.take().into_iter().for_each(Waker::wake);
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

/// A request that is being handled, until the end of its response has been made.
pub(crate) struct Handling(Rc<Activity>);

impl Handling {
    /// Returns whether the connection should be closed after the response, because its address has so many that new ones
    /// may soon be refused.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.place.as_ref().is_some_and(Place::is_crowded)
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.is_handling.set(false);
        self.0.wake_reader();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use actix_web::rt::net::{TcpListener, TcpStream};
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

    const LIMIT: Duration = Duration::from_secs(30);

    /// Both ends of a new connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    /// A client, and the connection of the server.
    pub(crate) async fn connection() -> (TcpStream, Connection<TcpStream>) {
        let (client, stream) = pair().await;
        let connection = connections().admit(stream, "192.0.2.1".parse().unwrap());
        (client, connection.unwrap())
    }

    /// Reads bytes that have arrived until no more are read. Returns their number.
    async fn read_all(connection: &mut Connection<TcpStream>) -> usize {
        let (mut read, mut waits, mut buffer) = (0, 0, [0; 8192]);
        // The first time without a byte, actix may only run the requests before.
        while waits < 3 {
            connection.stream.readable().await.unwrap();
            match poll!(Box::pin(connection.read(&mut buffer))) {
                Poll::Ready(bytes) => (read, waits) = (read + bytes.unwrap(), 0),
                Poll::Pending => waits += 1,
            }
        }
        read
    }

    #[actix_web::test]
    async fn further_requests_are_read_after_the_response() {
        let (mut client, mut connection) = connection().await;
        let handling = connection.activity.handle();
        client.write_all(&vec![0; 200_000]).await.unwrap();
        let read = read_all(&mut connection).await;
        assert!((MAX_AHEAD..MAX_AHEAD + MAX_AT_ONCE).contains(&read), "{read}");
        for _ in 0..9 {
            connection.write_all(b"piece of the response").await.unwrap();
            assert_eq!(read_all(&mut connection).await, 0);
        }
        drop(handling);
        let mut left = 200_000 - read;
        let mut buffer = [0; 8192];
        while left > 0 {
            left -= connection.read(&mut buffer).await.unwrap();
        }
    }

    #[actix_web::test]
    async fn unknown_requests_before_a_slow_one_count_as_read_ahead() {
        let (mut client, mut connection) = connection().await;
        client.write_all(&vec![0; 200_000]).await.unwrap();
        let mut read = 0;
        for _ in 0..20 {
            // As actix does: it reads, and runs some of the requests.
            let mut buffer = [0; 8192];
            while let Poll::Ready(bytes) = poll!(Box::pin(connection.read(&mut buffer))) {
                read += bytes.unwrap();
            }
            drop(connection.activity.handle());
        }
        assert!(read < MAX_AHEAD + MAX_AT_ONCE, "{read}");
    }

    #[actix_web::test]
    async fn body_is_read_as_it_is_taken_and_what_follows_waits() {
        let (mut client, mut connection) = connection().await;
        let _handling = connection.activity.handle();
        client.write_all(&vec![0; 200_000]).await.unwrap();
        let first = read_all(&mut connection).await;
        connection.activity.take_body(first);
        let second = read_all(&mut connection).await;
        assert!(second >= MAX_AHEAD, "{second}");
        connection.activity.await_body();
        let third = read_all(&mut connection).await;
        assert!(third >= MAX_AHEAD, "{third}");
        assert_eq!(read_all(&mut connection).await, 0);
    }

    #[actix_web::test]
    async fn requests_of_client_that_does_not_read_wait() {
        let (mut client, mut connection) = connection().await;
        client.write_all(b"next").await.unwrap();
        let response = vec![0; 1 << 20];
        connection.stream.writable().await.unwrap();
        while poll!(Box::pin(connection.write(&response))).is_ready() {}
        connection.stream.readable().await.unwrap();
        assert!(poll!(Box::pin(connection.read(&mut [0; 1]))).is_pending());
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
        let proxies = TrustedProxies::new(&["10.0.0.0/8".to_owned()]).unwrap();
        let limits = ConnectionLimits {
            all: 100,
            per_address: 2,
        };
        Connections::new(limits, 56, proxies)
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
        assert_eq!((connections.open(), connections.refused()), (1, 1));
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
        assert!(connections.0.by_address().is_empty());
        assert_eq!(connections.open(), 16);
    }

    #[actix_web::test]
    async fn closed_connections_are_forgotten() {
        let connections = connections();
        let admitted = connections.admit(pair().await.1, Ipv4Addr::new(192, 0, 2, 1).into());
        assert_eq!((connections.open(), connections.0.by_address().len()), (1, 1));
        drop(admitted);
        assert_eq!((connections.open(), connections.0.by_address().len()), (0, 0));
    }

    #[cfg(feature = "tls")]
    #[actix_web::test]
    async fn connection_counts_to_its_address_during_the_handshake() {
        let (connections, tls) = (connections(), crate::edge::tls::tests::tls());
        let (_client, stream) = pair().await;
        let connection = connections.admit(stream, "192.0.2.1".parse().unwrap()).unwrap();
        let mut handshake = Box::pin(connection.encrypted(&tls));
        assert!(poll!(handshake.as_mut()).is_pending());
        assert_eq!((connections.open(), connections.0.by_address().len()), (1, 1));
        drop(handshake);
        assert_eq!((connections.open(), connections.0.by_address().len()), (0, 0));
    }

    #[actix_web::test]
    async fn address_with_more_than_half_of_its_connections_is_crowded() {
        let connections = connections();
        let admit = async |address: &str| {
            let admitted = connections.admit(pair().await.1, address.parse().unwrap());
            admitted.unwrap()
        };
        let is_crowded = |connection: &Connection<TcpStream>| connection.activity.handle().is_crowded();
        let first = admit("192.0.2.1").await;
        assert!(!is_crowded(&first));
        let second = admit("192.0.2.1").await;
        assert!(is_crowded(&first) && is_crowded(&second));
        assert!(!is_crowded(&admit("192.0.2.2").await));
        drop(second);
        assert!(!is_crowded(&first));
        let _proxies = (admit("10.0.0.1").await, admit("10.0.0.1").await);
        assert!(!is_crowded(&admit("10.0.0.1").await));
    }

    #[test]
    fn limit_is_reported_again_after_half_is_free() {
        let count = Count::default();
        count.open.store(10, Ordering::Relaxed);
        assert!(count.report() && !count.report());
        for left in (5..10).rev() {
            assert!(!count.report());
            assert_eq!(count.remove(10), left);
        }
        assert!(count.report());
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
        let _handling = activity.handle();
        activity.note_read(5);
        activity.note_write(false);
        assert_eq!(limits_until_stalled(&activity, || {}).await, None);
    }

    #[actix_web::test]
    async fn head_that_does_not_end_stalls_however_it_drips() {
        pause();
        let activity = Rc::new(Activity::default());
        drop(activity.handle());
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
