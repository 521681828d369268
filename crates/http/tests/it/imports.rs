//! Cars as CSV: the list as a file, and files of cars.

use mycars_testkit::http::{
    Answer, Client, Request,
    accounts::{SUPERUSER_PASSWORD, add_car, join, log_in, new_car, new_client, plates},
};
use serde_json::{Value, json};

use crate::support::start;

const OWN: &str = "/api/cars/import/";

/// Sends a body of this type as the file.
fn import(client: &Client, access: &str, path: &str, media_type: &str, file: &[u8]) -> Answer {
    let request = Request {
        body: file.to_vec(),
        ..Request::new("POST", path)
    };
    client.send(&request.header("Content-Type", media_type).bearer(access))
}

fn import_csv(client: &Client, access: &str, csv: &str) -> Answer {
    import(client, access, OWN, "text/csv", csv.as_bytes())
}

/// Returns the list of the caller's cars, without what a new car gets anew.
fn cars(client: &Client, access: &str) -> Vec<Value> {
    let list = client.send(&Request::get("/api/cars/").bearer(access)).json(200);
    let mut cars: Vec<Value> = list.as_array().unwrap().clone();
    for car in &mut cars {
        let car = car.as_object_mut().unwrap();
        for name in [
            "id",
            "owner",
            "owner_name",
            "owner_username",
            "created_at",
            "updated_at",
        ] {
            car.remove(name).unwrap();
        }
    }
    cars
}

fn export(client: &Client, access: &str, query: &str) -> Answer {
    let path = format!("/api/cars/?format=csv{query}");
    client.send(&Request::get(&path).bearer(access))
}

#[test]
fn exported_cars_are_imported_as_they_were() {
    let server = start();
    let ann = join(&server, "ann").access;
    let nasty = [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "'=1",
        "''",
        "'",
        "'s",
        "a\"b,c;d\te",
        "x\r\ny",
        "x\ny\n=1",
        "\u{200b}=1",
        "a;=1",
        "- a\n- b",
        "５",
        "Š",
    ];
    for (number, text) in nasty.iter().enumerate() {
        let car = json!({
            "brand": text, "model": text, "year": 1990 + number, "license": format!("{text}{number}"),
            "color": text, "notes": text, "mileage": number,
        });
        server
            .send(&Request::post("/api/cars/", &car).bearer(&ann))
            .json(201);
    }
    let blank = json!({"brand": "a", "model": "b", "year": 2020, "license": "blank", "color": "", "notes": "",
                       "vin": "1HGBH41JXMN109186"});
    server
        .send(&Request::post("/api/cars/", &blank).bearer(&ann))
        .json(201);
    add_car(&server, &ann, "null");
    let before = cars(&server, &ann);

    let file = export(&server, &ann, "");
    assert_eq!(
        file.header("Content-Type").as_deref(),
        Some("text/csv; charset=utf-8")
    );
    let disposition = file.header("Content-Disposition");
    assert_eq!(disposition.as_deref(), Some("attachment; filename=\"cars.csv\""));
    let list = server.send(&Request::get("/api/cars/").bearer(&ann)).json(200);
    for car in list.as_array().unwrap() {
        let path = format!("/api/cars/{}/", car["id"]);
        assert_eq!(
            server.send(&Request::new("DELETE", &path).bearer(&ann)).status,
            204
        );
    }
    let bob = join(&server, "bob").access;
    let imported = import(&server, &bob, OWN, "text/csv; charset=utf-8", &file.body).json(200);
    assert_eq!(imported, json!({"created": 18, "dry_run": false, "ignored": []}));
    assert_eq!(cars(&server, &bob), before);
}

#[test]
fn csv_is_the_list_that_json_shows() {
    let server = start();
    let (ann, id) = new_client(&server, "ann");
    for plate in ["B", "A", "C"] {
        add_car(&server, &ann.access, plate);
    }
    let plates = |answer: &Answer| -> Vec<String> {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        let mut lines = text.lines();
        let names: Vec<&str> = lines
            .next()
            .unwrap()
            .trim_start_matches('\u{feff}')
            .split(',')
            .collect();
        let place = names.iter().position(|name| *name == "license").unwrap();
        lines
            .map(|line| line.split(',').nth(place).unwrap().to_owned())
            .collect()
    };
    let own = |query| plates(&export(&server, &ann.access, query));
    assert_eq!(own(""), ["C", "A", "B"]);
    assert_eq!(own("&ordering=license"), ["A", "B", "C"]);
    assert_eq!(own("&ordering=license&limit=1&offset=1"), ["B"]);
    assert_eq!(own("&license=A"), ["A"]);
    assert_eq!(own("&search=nothing"), Vec::<String>::new());
    let get = |path: &str, accept: &str, access: &str| {
        server.send(&Request::get(path).header("Accept", accept).bearer(access))
    };
    assert_eq!(
        plates(&get("/api/cars/", "text/csv", &ann.access)),
        ["C", "A", "B"]
    );
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let of_ann = format!("/api/admin/users/{id}/cars/?format=csv");
    assert_eq!(plates(&get(&of_ann, "*/*", &root)), ["C", "A", "B"]);

    // Errors are JSON, and other responses have no CSV.
    let wrong = export(&server, &ann.access, "&year=x").json(400);
    assert_eq!(wrong, json!({"year": ["Enter a number."]}));
    assert!(get(&of_ann, "*/*", &ann.access).json(403)["detail"].is_string());
    assert_eq!(
        get("/api/cars/?format=csv", "application/json", &ann.access).status,
        406
    );
    assert_eq!(get("/api/me/?format=csv", "*/*", &ann.access).status, 404);
    let post = new_car(&ann.access, "D");
    let post = Request {
        path: "/api/cars/?format=csv".into(),
        ..post
    };
    assert_eq!(server.send(&post).status, 404);
}

#[test]
fn file_is_read_in_every_dialect_with_the_file_order() {
    let server = start();
    let text = "brand,model,year,license\nVW,Golf,1999,A\nVW,Polo,2001,B\n";
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: [(&str, &[u8]); 6] = [
        ("text/csv", b"brand,model,year,license\nVW,Golf,1999,A\nVW,Polo,2 001,B\n"),
        ("text/csv", b"\xef\xbb\xbfBrand;Model;Year;License;colour\r\nVW;Golf;1999;A;red\r\nVW;Polo;2001;B;\r\n;;;;\r\n"),
        ("text/csv", b"license\tyear\tmodel\tbrand\nA\t1999\tGolf\tVW\nB\t2001\tPolo\tVW"),
        (
            "application/x-ndjson",
            br#"{"brand": "VW", "model": "Golf", "year": 1999, "license": "A", "id": 5, "colour": 1}

{"brand": "VW", "model": "Polo", "year": "2001", "license": "B"}"#,
        ),
        ("text/csv; charset=utf-16le", &utf_16),
        ("text/csv; charset=latin-1", b"brand,model,year,license\nVW,Golf,1999,A\nVW,Polo,2001,B\n"),
    ];
    for (number, (media_type, file)) in files.into_iter().enumerate() {
        let access = join(&server, &format!("user{number}")).access;
        let answer = import(&server, &access, OWN, media_type, file).json(200);
        let ignored = if number == 1 || number == 3 {
            json!(["colour"])
        } else {
            json!([])
        };
        assert_eq!(
            answer,
            json!({"created": 2, "dry_run": false, "ignored": ignored}),
            "{media_type}"
        );
        assert_eq!(plates(&server, &access), ["A", "B"]);
        assert_eq!(cars(&server, &access)[1]["year"], 2001);
        let list = server.send(&Request::get("/api/cars/").bearer(&access)).json(200);
        for car in list.as_array().unwrap() {
            let path = format!("/api/cars/{}/", car["id"]);
            server.send(&Request::new("DELETE", &path).bearer(&access));
        }
    }
}

#[test]
fn invalid_rows_are_reported_by_number_and_field() {
    let server = start();
    let ann = join(&server, "ann").access;
    add_car(&server, &ann, "B-AB 1");
    let csv = "brand;model;year;license;mileage;vin\n\
               VW;Golf;1999;C-1;;\n\
               ;Golf;99;b-ab 1;125.000;x\n\
               VW;Golf;1999;c-1;1 000;\n\
               VW;Golf;1999;C-3;30,50;\n";
    let separators = "Enter a whole number without decimal or thousands separators, such as 125000.";
    let expected = json!({
        "errors": [
            {
                "row": 3,
                "brand": ["This field may not be blank."],
                "year": ["Ensure this value is greater than or equal to 1886."],
                "license": ["car with this license already exists."],
                "vin": ["Enter a valid VIN: 17 characters, the letters A to Z without I, O and Q, and digits."],
                "mileage": [separators],
            },
            {"row": 4, "license": ["Row 2 has the same license."]},
            {"row": 5, "mileage": [separators]},
        ],
        "invalid_rows": 3,
    });
    assert_eq!(import_csv(&server, &ann, csv).json(400), expected);
    assert_eq!(plates(&server, &ann), ["B-AB 1"]);
}

/// Files as other programs write them, with dates and numbers of different languages.
#[test]
fn numbers_of_other_programs_are_read_or_refused_by_row() {
    let server = start();
    let ann = join(&server, "ann").access;
    let names = [
        "brand",
        "model",
        "year",
        "license",
        "mileage",
        "purchaseDate",
        "purchasePrice",
    ];
    let file = |delimiter: &str, mileage: &str, more: &str| {
        let row = ["VW", "Golf", "1999", "A", mileage, more, more].map(|cell| format!("\"{cell}\""));
        format!("{}\n{}\n", names.join(delimiter), row.join(delimiter))
    };
    for (delimiter, mileage, more) in [
        (",", "125000", "12/31/1998"),
        (";", "125 000", "31.12.1998"),
        ("\t", "125000", "1.234,56"),
        (";", "125\u{a0}000", "1998-12-31"),
    ] {
        let csv = file(delimiter, mileage, more);
        let path = format!("{OWN}?dry_run=true");
        let answer = import(&server, &ann, &path, "text/csv", csv.as_bytes()).json(200);
        let ignored = json!(["purchasedate", "purchaseprice"]);
        assert_eq!(answer, json!({"created": 1, "dry_run": true, "ignored": ignored}));
    }
    for (delimiter, mileage) in [
        (",", "125,000"),
        (";", "125.000"),
        (";", "125000,5"),
        (",", "12.5"),
        (";", "31.12.1998"),
    ] {
        let answer = import_csv(&server, &ann, &file(delimiter, mileage, "")).json(400);
        assert_eq!(answer["errors"][0]["row"], 2, "{answer}");
        assert!(answer["errors"][0]["mileage"].is_array(), "{mileage}: {answer}");
    }
}

#[test]
fn dry_run_reports_and_stores_nothing() {
    let server = start();
    let (ann, id) = new_client(&server, "ann");
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let csv = b"brand,model,year,license\nVW,Golf,1999,A\n";
    let path = format!("/api/admin/users/{id}/cars/import/");
    let dry = import(&server, &root, &format!("{path}?dry_run=true"), "text/csv", csv).json(200);
    assert_eq!(dry, json!({"created": 1, "dry_run": true, "ignored": []}));
    assert!(plates(&server, &ann.access).is_empty());
    let wrong = import(&server, &root, &format!("{path}?dry_run=maybe"), "text/csv", csv);
    let message = "Select a valid choice. maybe is not one of the available choices.";
    assert_eq!(wrong.json(400), json!({"dry_run": [message]}));

    import(&server, &root, &path, "text/csv", csv).json(200);
    assert_eq!(plates(&server, &ann.access), ["A"]);
    let query = Request::get("/api/admin/history/?object_type=car").bearer(&root);
    let history = server.send(&query).json(200);
    assert_eq!(
        (history["count"].clone(), &history["results"][0]["actor_name"]),
        (json!(1), &json!("root"))
    );
    assert!(history["results"][0]["request_id"].is_string());
    let missing = import(
        &server,
        &root,
        "/api/admin/users/999/cars/import/",
        "text/csv",
        csv,
    );
    assert_eq!(missing.json(404)["detail"], "No User matches the given query.");
}

#[test]
fn files_that_are_no_rows_are_refused_with_a_message() {
    let server = start();
    let ann = join(&server, "ann").access;
    let many = format!("brand,model,year,license\n{}", "VW,Golf,1999,A\n".repeat(10_001));
    for (csv, message) in [
        ("", "The submitted file is empty."),
        ("brand,model,year,license\n", "The submitted file is empty."),
        ("VW,Golf\n", "The first row must hold the names of the columns."),
        ("brand,model,year\n", "The column \"license\" is missing."),
        (
            "brand,model,year,license\nVW,Golf\n",
            "Row 2 has 2 cells, but the first row has 4.",
        ),
        (
            "{\"brand\": 1}\n[]",
            "Row 2: Invalid data. Expected a dictionary, but got list.",
        ),
        (
            "{\"brand\"",
            "Row 1: JSON parse error - the body ends too early: line 1 column 8",
        ),
        (
            &many,
            "The file has more than 10000 rows. Import it in several parts.",
        ),
    ] {
        let upload = Request::form_with_file(OWN, &[], "file", csv.as_bytes()).bearer(&ann);
        let sent = if csv.is_empty() {
            import_csv(&server, &ann, "\n")
        } else {
            server.send(&upload)
        };
        assert_eq!(sent.json(400), json!({"file": [message]}));
    }
    let text = "The text could not be decoded as UTF-8.";
    let bytes = import(&server, &ann, OWN, "text/csv", b"brand\n\xff\n");
    assert_eq!(bytes.json(400), json!({"file": [text]}));
    let none = server.send(&Request::post(OWN, &json!({})).bearer(&ann));
    assert_eq!(none.json(400), json!({"file": ["No file was submitted."]}));
    let plain = import(&server, &ann, OWN, "text/plain", b"brand\n");
    assert_eq!(
        plain.json(415)["detail"],
        "Unsupported media type \"text/plain\" in request."
    );
    let elsewhere = import(&server, &ann, "/api/cars/", "text/csv", b"brand\n");
    assert_eq!(
        elsewhere.json(415)["detail"],
        "Unsupported media type \"text/csv\" in request."
    );
    assert!(plates(&server, &ann).is_empty());
}
