//! How long it takes to read a car from JSON, and to write cars as JSON.

use criterion::{Criterion, criterion_group, criterion_main};
use mycars_http::bench;

fn json(criterion: &mut Criterion) {
    criterion.bench_function("read a car", |bencher| bencher.iter(bench::car_from_json()));
    criterion.bench_function("write a car", |bencher| bencher.iter(bench::cars_as_json(1)));
    criterion.bench_function("write 1000 cars", |bencher| {
        bencher.iter(bench::cars_as_json(1000));
    });
}

criterion_group!(benches, json);
criterion_main!(benches);
