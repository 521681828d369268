//! `…/upload-image/`: the picture of a car of the caller or, for admins, of any user.

use mycars_application::{
    Input,
    images::{self, UploadedFile},
};
use mycars_domain::Field;

use super::cars::{CAR, Scope, id};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/upload-image/",
    name: "Upload Image",
    description: "The picture of one of your own cars: JPEG, PNG, WebP or GIF.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: None,
    operations: &operations("upload_car_image", "delete_car_image"),
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/upload-image/",
    name: "Admin Upload Image",
    description: "The picture of a user's car: JPEG, PNG, WebP or GIF.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: None,
    operations: &operations("upload_user_car_image", "delete_user_car_image"),
};

const fn operations(upload_id: &'static str, delete_id: &'static str) -> [Operation; 2] {
    [
        Operation {
            id: upload_id,
            summary: "Upload a car's picture",
            method: Method::Post,
            body: Some(&UPLOAD),
            answer: ResponseSpec::One(&CAR),
            handle: upload,
        },
        Operation::plain(
            delete_id,
            "Delete a car's picture",
            Method::Delete,
            ResponseSpec::Nothing,
            remove,
        ),
    ]
}

static UPLOAD: Schema = Schema {
    name: "ImageUpload",
    fields: &[FieldSpec::required(Field::Image, "Image", FieldKind::ImageUpload)
        .help("JPEG, PNG, WebP or GIF, sent as multipart/form-data. Stored as JPEG without metadata. By default at \
               most 5 MiB and 40 megapixels.")],
};

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
    let car = images::upload(request.app, request.caller, scope.cars, id(request), input)?;
    scope.show(&car)
}

fn remove(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    images::remove(request.app, request.caller, scope.cars, id(request), None)?;
    Ok(Reply::no_content())
}
