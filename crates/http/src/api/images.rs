//! `…/upload-image/`: the picture of a car, one's own or somebody's as an admin.

use mycars_application::{
    Input,
    images::{self, UploadedFile},
};
use mycars_domain::Field;

use super::cars::{Scope, id};
use crate::{
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    fields::{FieldSpec, Kind},
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/upload-image/",
    name: "Upload Image",
    description: "The picture of one of your own cars: JPEG, PNG, WebP or GIF.",
    access: Access::Authenticated,
    list: None,
    operations: &OPERATIONS,
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/upload-image/",
    name: "Admin Upload Image",
    description: "The picture of a user's car: JPEG, PNG, WebP or GIF.",
    access: Access::Admin,
    list: None,
    operations: &OPERATIONS,
};

static OPERATIONS: [Operation; 2] = [
    Operation {
        verb: Verb::Post,
        fields: &[FieldSpec::required(Field::Image, "Image", Kind::ImageUpload)
            .help("Sent as multipart/form-data. Kept as JPEG, without its metadata.")],
        handle: upload,
    },
    Operation::plain(Verb::Delete, remove),
];

fn upload(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let form = request.form_unless_missing(|| scope.find(request))?;
    let mut file;
    let input = match form.file(Field::Image) {
        Input::Given(sent) => {
            file = sent.borrow_mut();
            let size = file.size;
            Input::Given(UploadedFile {
                content: &mut file.content,
                size,
            })
        }
        Input::Absent => Input::Absent,
        Input::Null => Input::Null,
        Input::Invalid(violation) => Input::Invalid(violation),
    };
    let car = images::upload(request.app, request.caller, scope.garage, id(request), input)?;
    scope.show(&car)
}

fn remove(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    images::remove(request.app, request.caller, scope.garage, id(request))?;
    Ok(Reply::no_content())
}
