//! The page that imports cars of a user.

use mycars_testkit::http::{
    Request,
    accounts::{new_client, plates},
    panel::Panel,
};

use crate::support::start;

const CSV: &str = "brand;model;year;license;colour\nVW;Golf;1999;A;\nVW;<Polo>;99;a;\n";

#[test]
fn import_page_shows_errors_by_row_and_keeps_the_file() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let path = format!("/admin/users/{id}/import/");
    assert!(panel.page(&format!("/admin/users/{id}/")).contains(&path));
    assert!(panel.page(&path).contains("Import cars of ann"));
    let token = ("csrfmiddlewaretoken", panel.browser.token.as_str());
    let send = |fields: &[(&str, &str)], file: &str| {
        let fields = [fields, &[token]].concat();
        panel
            .browser
            .send(Request::form_with_file(&path, &fields, "file", file.as_bytes()))
    };

    let before = panel.entries();
    let refused = send(&[("rows", "")], CSV);
    assert_eq!(refused.status, 400, "{}", refused.text());
    let html = refused.text();
    assert!(html.contains("One row is invalid"), "{html}");
    for cell in [
        "<th scope=\"row\">3</th><td>year</td><td><bdi>Ensure this value is greater than or equal to 1886.</bdi>",
        "<th scope=\"row\">3</th><td>license</td><td><bdi>Row 2 has the same license.</bdi>",
        "VW;&#60;Polo&#62;;99;a;",
    ] {
        assert!(html.contains(cell), "{cell} is not in {html}");
    }
    let nothing = send(&[("rows", "")], "");
    assert_eq!(nothing.status, 400);
    assert!(nothing.text().contains("The submitted file is empty."));
    let corrected = CSV.replace("99;a", "2001;B").replace('\n', "\r\n");
    let checked = send(&[("rows", &corrected), ("_check", "1")], "");
    assert_eq!(checked.status, 200);
    let html = checked.text();
    assert!(
        html.contains("2 cars (without the unknown columns colour) would be added."),
        "{html}"
    );
    assert!(html.contains("VW;&#60;Polo&#62;;2001;B;"), "{html}");
    assert!(plates(&server, &ann.access).is_empty());
    assert_eq!(panel.entries(), before);

    let target = panel.save(&path, &[("rows", &corrected), ("_save", "1")]);
    assert_eq!(target, format!("/admin/users/{id}/"));
    assert_eq!(plates(&server, &ann.access), ["A", "B"]);
    let newest = &panel.history("object_type=car")["results"][0];
    assert_eq!(
        (newest["channel"].as_str(), newest["actor_name"].as_str()),
        (Some("panel"), Some("root"))
    );
}
