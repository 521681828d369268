//! Signs of life for whoever watches the server.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use crate::{
    error::ApiError,
    request::{pipeline::State, pools::Pool},
};

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /health/ready`: the database answers too; 503 if it does not.
pub(crate) async fn ready(state: Data<State>) -> HttpResponse {
    let blocking = state.pools.clone();
    let ping = blocking
        .run(Pool::Database, move || {
            state.app.store.ping().map_err(ApiError::from)
        })
        .await;
    match ping.map_err(ApiError::from).flatten() {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ok"})),
        Err(error) => error.response(),
    }
}
