//! How long a page takes to render.

use criterion::{Criterion, criterion_group, criterion_main};

fn pages(criterion: &mut Criterion) {
    let render = mycars_http::bench::list_of_20_cars();
    criterion.bench_function("page of 20 cars", |bencher| bencher.iter(&render));
}

criterion_group!(benches, pages);
criterion_main!(benches);
