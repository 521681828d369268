//! The rows of tables as JSON lines. The fields are the columns of the tables, without those that are computed from
//! others. A column that is added later needs `#[serde(default)]`, so that older archives can be read.

use std::{io::Write, net::IpAddr};

use chrono::{DateTime, Utc};
use mycars_application::ports::{
    ApiKey, Device, Family, Installation, RefreshToken, Revocation, Row, Session, Table,
};
use mycars_domain::{
    Car, CarId, EmailState, Field, KeyRights, PreviousEmail, Role, User, UserId,
    audit::{Action, Author, Change, Channel, Entry, NewEntry, Object, ObjectType, Origin, Value},
    values::{
        Address, Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, Notes,
        PasswordHash, Phone, Username, Vin, Year,
    },
};
use serde::{Deserialize, Serialize, de::Error as _};

type Result<T> = std::result::Result<T, serde_json::Error>;

/// Writes a row as JSON.
pub(crate) fn write(row: &Row, line: &mut Vec<u8>) -> Result<()> {
    fn json(line: &mut impl Write, record: &impl Serialize) -> Result<()> {
        serde_json::to_writer(line, record)
    }
    match row {
        Row::Installation(row) => json(line, &InstallationRecord::from(row)),
        Row::User(row) => json(line, &UserRecord::from(row)),
        Row::Car { car, image_bytes } => json(line, &CarRecord::new(car, *image_bytes)),
        Row::RefreshToken { number, token } => json(line, &TokenRecord::new(*number, token)),
        Row::Session { number, session } => json(line, &SessionRecord::new(*number, session)),
        Row::ApiKey(row) => json(line, &KeyRecord::from(row)),
        Row::Entry(row) => json(line, &EntryRecord::from(row)),
    }
}

/// Reads a row of a table.
pub(crate) fn read(table: Table, line: &[u8]) -> Result<Row> {
    match table {
        Table::Installation => serde_json::from_slice::<InstallationRecord>(line).map(Row::from),
        Table::Users => serde_json::from_slice::<UserRecord>(line)?.try_into(),
        Table::Cars => serde_json::from_slice::<CarRecord>(line).map(Row::from),
        Table::RefreshTokens => serde_json::from_slice::<TokenRecord>(line)?.try_into(),
        Table::Sessions => serde_json::from_slice::<SessionRecord>(line).map(Row::from),
        Table::ApiKeys => serde_json::from_slice::<KeyRecord>(line)?.try_into(),
        Table::AuditLog => serde_json::from_slice::<EntryRecord>(line)?.try_into(),
    }
}

/// Returns the variant with a name.
fn known<T>(named: impl Fn(&str) -> Option<T>, name: &str) -> Result<T> {
    named(name).ok_or_else(|| serde_json::Error::custom(format!("`{name}` is not known")))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstallationRecord {
    id: String,
    created_at: DateTime<Utc>,
}

impl From<&Installation> for InstallationRecord {
    fn from(row: &Installation) -> Self {
        Self {
            id: row.id.clone(),
            created_at: row.created_at,
        }
    }
}

impl From<InstallationRecord> for Row {
    fn from(record: InstallationRecord) -> Self {
        Self::Installation(Installation {
            id: record.id,
            created_at: record.created_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRecord {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    role: String,
    phone: Option<String>,
    address: Option<String>,
    is_active: bool,
    is_superuser: bool,
    password: String,
    logins_ended_at: Option<DateTime<Utc>>,
    access_ended_at: Option<DateTime<Utc>>,
    #[serde(default)]
    email_verified_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pending_email: Option<String>,
    #[serde(default)]
    previous_email: Option<String>,
    #[serde(default)]
    email_replaced_at: Option<DateTime<Utc>>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<&User> for UserRecord {
    fn from(row: &User) -> Self {
        let previous = row.email_state.previous.as_ref();
        Self {
            id: row.id.0,
            username: row.username.as_str().to_owned(),
            email: row.email.as_str().to_owned(),
            first_name: row.first_name.as_str().to_owned(),
            last_name: row.last_name.as_str().to_owned(),
            role: row.role.as_str().to_owned(),
            phone: row.phone.as_ref().map(|phone| phone.as_str().to_owned()),
            address: row.address.as_ref().map(|address| address.as_str().to_owned()),
            is_active: row.is_active,
            is_superuser: row.is_superuser,
            password: row.password.reveal().to_owned(),
            logins_ended_at: row.logins_ended_at,
            access_ended_at: row.access_ended_at,
            email_verified_at: row.email_state.verified_at,
            pending_email: row.email_state.pending.as_ref().map(ToString::to_string),
            previous_email: previous.map(|previous| previous.email.to_string()),
            email_replaced_at: previous.map(|previous| previous.replaced_at),
            date_joined: row.date_joined,
            last_login: row.last_login,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl TryFrom<UserRecord> for Row {
    type Error = serde_json::Error;

    fn try_from(record: UserRecord) -> Result<Self> {
        let previous = record.previous_email.zip(record.email_replaced_at);
        Ok(Self::User(User {
            id: UserId(record.id),
            username: Username::from_storage(record.username),
            email: Email::from_storage(record.email),
            email_state: EmailState {
                verified_at: record.email_verified_at,
                pending: record.pending_email.map(Email::from_storage),
                previous: previous.map(|(email, replaced_at)| PreviousEmail {
                    email: Email::from_storage(email),
                    replaced_at,
                }),
            },
            first_name: FirstName::from_storage(record.first_name),
            last_name: LastName::from_storage(record.last_name),
            role: known(|name| Role::parse(name).ok(), &record.role)?,
            phone: record.phone.map(Phone::from_storage),
            address: record.address.map(Address::from_storage),
            is_active: record.is_active,
            is_superuser: record.is_superuser,
            password: PasswordHash::from_storage(record.password),
            logins_ended_at: record.logins_ended_at,
            access_ended_at: record.access_ended_at,
            date_joined: record.date_joined,
            last_login: record.last_login,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CarRecord {
    id: i64,
    owner_id: i64,
    brand: String,
    model: String,
    year: i32,
    color: Option<String>,
    license: String,
    vin: Option<String>,
    mileage: i32,
    image: Option<String>,
    image_bytes: Option<u64>,
    notes: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl CarRecord {
    fn new(row: &Car, image_bytes: Option<u64>) -> Self {
        Self {
            id: row.id.0,
            owner_id: row.owner.0,
            brand: row.brand.as_str().to_owned(),
            model: row.model.as_str().to_owned(),
            year: row.year.get(),
            color: row.color.as_ref().map(|color| color.as_str().to_owned()),
            license: row.license.as_str().to_owned(),
            vin: row.vin.as_ref().map(|vin| vin.as_str().to_owned()),
            mileage: row.mileage.get(),
            image: row.image.as_ref().map(|image| image.as_str().to_owned()),
            image_bytes,
            notes: row.notes.as_ref().map(|notes| notes.as_str().to_owned()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<CarRecord> for Row {
    fn from(record: CarRecord) -> Self {
        Self::Car {
            car: Car {
                id: CarId(record.id),
                owner: UserId(record.owner_id),
                brand: Brand::from_storage(record.brand),
                model: Model::from_storage(record.model),
                year: Year::from_storage(record.year),
                color: record.color.map(Color::from_storage),
                license: LicensePlate::from_storage(record.license),
                vin: record.vin.map(Vin::from_storage),
                mileage: Mileage::from_storage(record.mileage),
                image: record.image.map(ImagePath::from_storage),
                notes: record.notes.map(Notes::from_storage),
                created_at: record.created_at,
                updated_at: record.updated_at,
            },
            image_bytes: record.image_bytes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRecord {
    id: i64,
    jti: String,
    user_id: Option<i64>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revocation: Option<String>,
    #[serde(default)]
    family: Option<String>,
    #[serde(default)]
    logged_in_at: Option<DateTime<Utc>>,
    #[serde(default)]
    last_used_at: Option<DateTime<Utc>>,
    #[serde(default)]
    address: Option<IpAddr>,
    #[serde(default)]
    program: Option<String>,
}

impl TokenRecord {
    fn new(number: i64, row: &RefreshToken) -> Self {
        let family = row.family.as_ref();
        let device = family.map(|family| &family.device);
        Self {
            id: number,
            jti: row.id.clone(),
            user_id: row.user.map(|user| user.0),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            revocation: row.revoked.map(|revocation| revocation.as_str().to_owned()),
            family: family.map(|family| family.id.clone()),
            logged_in_at: family.map(|family| family.logged_in_at),
            last_used_at: row.last_used_at,
            address: device.and_then(|device| device.address),
            program: device.and_then(|device| device.program.clone()),
        }
    }
}

impl TryFrom<TokenRecord> for Row {
    type Error = serde_json::Error;

    fn try_from(record: TokenRecord) -> Result<Self> {
        let revocation = record.revocation.as_deref();
        let revoked = revocation.map(|name| known(Revocation::named, name));
        Ok(Self::RefreshToken {
            number: record.id,
            token: RefreshToken {
                id: record.jti,
                user: record.user_id.map(UserId),
                issued_at: record.issued_at,
                expires_at: record.expires_at,
                revoked: revoked.transpose()?,
                revoked_at: record.revoked_at,
                last_used_at: record.last_used_at,
                family: record.family.map(|id| Family {
                    id,
                    logged_in_at: record.logged_in_at.unwrap_or(record.issued_at),
                    device: Device {
                        address: record.address,
                        program: record.program,
                    },
                }),
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRecord {
    id: i64,
    key_hash: String,
    user_id: i64,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    #[serde(default)]
    address: Option<IpAddr>,
    #[serde(default)]
    program: Option<String>,
}

impl SessionRecord {
    fn new(number: i64, row: &Session) -> Self {
        Self {
            id: number,
            key_hash: row.key_hash.clone(),
            user_id: row.user.0,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            address: row.device.address,
            program: row.device.program.clone(),
        }
    }
}

impl From<SessionRecord> for Row {
    fn from(record: SessionRecord) -> Self {
        Self::Session {
            number: record.id,
            session: Session {
                key_hash: record.key_hash,
                user: UserId(record.user_id),
                created_at: record.created_at,
                last_seen_at: record.last_seen_at,
                device: Device {
                    address: record.address,
                    program: record.program,
                },
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecord {
    id: i64,
    owner_id: i64,
    name: String,
    prefix: String,
    key_hash: String,
    rights: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<&ApiKey> for KeyRecord {
    fn from(row: &ApiKey) -> Self {
        Self {
            id: row.id,
            owner_id: row.owner.0,
            name: row.name.clone(),
            prefix: row.prefix.clone(),
            key_hash: row.key_hash.clone(),
            rights: row.rights.as_str().to_owned(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl TryFrom<KeyRecord> for Row {
    type Error = serde_json::Error;

    fn try_from(record: KeyRecord) -> Result<Self> {
        Ok(Self::ApiKey(ApiKey {
            id: record.id,
            owner: UserId(record.owner_id),
            name: record.name,
            prefix: record.prefix,
            key_hash: record.key_hash,
            rights: known(KeyRights::named, &record.rights)?,
            created_at: record.created_at,
            expires_at: record.expires_at,
            last_used_at: record.last_used_at,
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryRecord {
    id: i64,
    at: DateTime<Utc>,
    action: String,
    object_type: String,
    object_id: String,
    object_name: String,
    owner_id: Option<i64>,
    actor_id: Option<i64>,
    actor_name: String,
    channel: String,
    request_id: Option<String>,
    address: Option<IpAddr>,
    changes: Vec<ChangeRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRecord {
    field: String,
    #[serde(with = "ValueRecord")]
    before: Value,
    #[serde(with = "ValueRecord")]
    after: Value,
}

/// The form of [`Value`], which Serde's derive maps to it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Value", rename_all = "snake_case", deny_unknown_fields)]
enum ValueRecord {
    Nothing,
    Text(String),
    Number(i64),
    Flag(bool),
    Excerpt {
        text: String,
        length: u64,
        sha256: String,
    },
    Hidden,
}

impl From<&Entry> for EntryRecord {
    fn from(Entry { id, entry }: &Entry) -> Self {
        let changes = entry.changes.iter().map(|change| ChangeRecord {
            field: change.field.as_str().to_owned(),
            before: change.before.clone(),
            after: change.after.clone(),
        });
        Self {
            id: *id,
            at: entry.at,
            action: entry.action.as_str().to_owned(),
            object_type: entry.object.kind.as_str().to_owned(),
            object_id: entry.object.id.clone(),
            object_name: entry.object.name.clone(),
            owner_id: entry.object.owner.map(|owner| owner.0),
            actor_id: entry.author.id.map(|actor| actor.0),
            actor_name: entry.author.name.clone(),
            channel: entry.origin.channel.as_str().to_owned(),
            request_id: entry.origin.request_id.clone(),
            address: entry.origin.address,
            changes: changes.collect(),
        }
    }
}

impl TryFrom<EntryRecord> for Row {
    type Error = serde_json::Error;

    fn try_from(record: EntryRecord) -> Result<Self> {
        let changes = record.changes.into_iter().map(|change| {
            Ok(Change {
                field: known(Field::named, &change.field)?,
                before: change.before,
                after: change.after,
            })
        });
        Ok(Self::Entry(Entry {
            id: record.id,
            entry: NewEntry {
                at: record.at,
                action: known(Action::named, &record.action)?,
                object: Object {
                    kind: known(ObjectType::named, &record.object_type)?,
                    id: record.object_id,
                    name: record.object_name,
                    owner: record.owner_id.map(UserId),
                },
                author: Author {
                    id: record.actor_id.map(UserId),
                    name: record.actor_name,
                },
                origin: Origin {
                    channel: known(Channel::named, &record.channel)?,
                    request_id: record.request_id,
                    address: record.address,
                },
                changes: changes.collect::<Result<_>>()?,
            },
        }))
    }
}
