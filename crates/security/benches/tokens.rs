//! Measures the verification of a token, which each request with a token needs.
#![expect(clippy::expect_used, reason = "the benchmark needs a token")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mycars_application::ports::{Claims, TokenCodec as _};
use mycars_security::JwtCodec;

fn tokens(criterion: &mut Criterion) {
    let codec = JwtCodec::new("a-secret-signing-key-for-benchmarks-0123456789", []).expect("the key is good");
    let claims = Claims {
        token_type: Some("access".to_owned()),
        expires_at: Some(4_102_444_800),
        issued_at_micros: None,
        issued_at: Some(1_795_000_000),
        not_before: None,
        id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        user_id: Some("42".to_owned()),
        login: Some("0123456789abcdef0123456789abcdef".to_owned()),
    };
    let token = codec.encode(&claims).expect("the claims can be signed");
    assert_eq!(codec.decode(&token), Ok(claims));
    criterion.bench_function("verify a token", |bencher| {
        bencher.iter(|| codec.decode(black_box(&token)));
    });
}

criterion_group!(benches, tokens);
criterion_main!(benches);
