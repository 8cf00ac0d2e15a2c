//! The tables a service's model becomes: shapes with their constraints, operations with their routes.
//! All six protocols read the same tables, which is why they carry more than the two that use them first.

/// Index of a shape in its service's table.
pub type ShapeId = u16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Json10,
    Json11,
    Query,
    Ec2,
    RestJson,
    RestXml,
    RpcV2Cbor,
}

#[derive(Debug)]
pub struct ServiceModel {
    /// Short name, as in `api-<name>`: `ecs`.
    pub name: &'static str,
    /// The service of the credential scope.
    pub signing_name: &'static str,
    pub api_version: &'static str,
    /// Before the dot of `X-Amz-Target`, for the JSON protocols.
    pub target_prefix: &'static str,
    pub xml_namespace: &'static str,
    /// Preferred first.
    pub protocols: &'static [Protocol],
    pub shapes: &'static [Shape],
    pub operations: &'static [Operation],
    /// Operations of the official model that do not exist here (yet).
    pub absent: &'static [&'static str],
    /// REST: where those would be, so that a request for one is answered with its name.
    pub absent_routes: &'static [AbsentRoute],
    /// Clients expect the codes of the query protocol in `x-amzn-query-error`, whatever protocol they speak.
    pub query_compatible: bool,
    /// rest-xml: errors stand in no `ErrorResponse` element, as S3 writes them.
    pub bare_errors: bool,
}

impl ServiceModel {
    /// What tables are written over, so that a new column changes no table that does not use it.
    pub const BASE: Self = Self {
        name: "",
        signing_name: "",
        api_version: "",
        target_prefix: "",
        xml_namespace: "",
        protocols: &[],
        shapes: &[],
        operations: &[],
        absent: &[],
        absent_routes: &[],
        query_compatible: false,
        bare_errors: false,
    };

    pub fn speaks(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }

    /// Whether clients know errors by the codes of the query protocol: it is the service's own, or once was.
    pub fn has_query_codes(&self) -> bool {
        self.query_compatible || self.protocols.first() == Some(&Protocol::Query)
    }

    /// The error that the model documents under this code, or under this name.
    pub fn error_shape(&self, code: &str) -> Option<&'static Shape> {
        let errors = || self.shapes.iter().filter(|shape| !shape.error_code.is_empty());
        errors()
            .find(|shape| shape.error_code == code)
            .or_else(|| errors().find(|shape| shape.name == code))
    }

    pub fn operation(&'static self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    pub fn shape(&self, id: ShapeId) -> &'static Shape {
        &self.shapes[id as usize]
    }
}

/// The method and path template of an operation that does not exist here.
#[derive(Debug)]
pub struct AbsentRoute {
    pub name: &'static str,
    pub method: &'static str,
    pub uri: &'static str,
}

#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub method: &'static str,
    pub uri: &'static str,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// Query protocol: the element around the result.
    pub result_wrapper: &'static str,
    pub host_prefix: &'static str,
    /// HTTP status of a success; 0 where the model does not say, which is 200.
    pub status: u16,
    /// rest-xml: the element around the input, or empty.
    pub input_wire: &'static str,
    /// rest-xml: its namespace, or empty.
    pub input_namespace: &'static str,
    /// rest-xml: the element around the output, or empty.
    pub output_wire: &'static str,
}

impl Operation {
    /// See [`ServiceModel::BASE`].
    pub const BASE: Self = Self {
        name: "",
        method: "POST",
        uri: "/",
        input: None,
        output: None,
        result_wrapper: "",
        host_prefix: "",
        status: 0,
        input_wire: "",
        input_namespace: "",
        output_wire: "",
    };
}

#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    /// `locationName` of the shape itself, or empty.
    pub wire: &'static str,
    pub namespace: Namespace,
    /// The code of an error, which is its name where the model does not say otherwise; empty for others.
    pub error_code: &'static str,
    /// HTTP status of an error, or 0.
    pub error_status: u16,
    /// Values of it are secrets: they stand in no record.
    pub sensitive: bool,
    /// A stream of events, each of which is one of its members.
    pub event_stream: bool,
}

impl Shape {
    /// See [`ServiceModel::BASE`].
    pub const BASE: Self = Self {
        name: "",
        kind: Kind::Boolean,
        wire: "",
        namespace: Namespace::NONE,
        error_code: "",
        error_status: 0,
        sensitive: false,
        event_stream: false,
    };
}

/// An XML namespace that an element declares. Empty where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub uri: &'static str,
    pub prefix: &'static str,
}

impl Namespace {
    pub const NONE: Self = Self { uri: "", prefix: "" };
}

/// Bounds are inclusive; lengths count characters of strings, bytes of blobs, elements of lists and maps.
#[derive(Debug)]
pub enum Kind {
    Structure {
        members: &'static [Member],
        payload: Option<&'static str>,
        document: bool,
        union: bool,
    },
    List {
        member: Member,
        flattened: bool,
        min: Option<u64>,
        max: Option<u64>,
    },
    Map {
        key: Member,
        value: Member,
        flattened: bool,
        min: Option<u64>,
        max: Option<u64>,
    },
    Text {
        min: Option<u64>,
        max: Option<u64>,
        pattern: Option<&'static str>,
        values: &'static [&'static str],
    },
    Blob {
        min: Option<u64>,
        max: Option<u64>,
        streaming: bool,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    Long {
        min: Option<i64>,
        max: Option<i64>,
    },
    Double {
        min: Option<f64>,
        max: Option<f64>,
    },
    Boolean,
    Timestamp {
        format: Option<&'static str>,
    },
}

/// Where REST protocols put a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Header,
    Headers,
    Uri,
    QueryString,
    StatusCode,
}

#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub shape: ShapeId,
    pub required: bool,
    /// `locationName`, or empty.
    pub wire: &'static str,
    /// `queryName`, or empty.
    pub query: &'static str,
    /// Its name in the query protocol where that is another than in the service's other protocols, or empty.
    pub form: &'static str,
    pub location: Location,
    pub flattened: bool,
    pub attribute: bool,
    pub idempotency_token: bool,
    /// `timestampFormat` of the member, which goes before its shape's.
    pub timestamp: Option<&'static str>,
    pub namespace: Namespace,
    /// A header that carries JSON in base64.
    pub json_value: bool,
    /// Of an event: its payload, or one of its headers.
    pub event_payload: bool,
    pub event_header: bool,
}

impl Member {
    /// See [`ServiceModel::BASE`].
    pub const BASE: Self = Self {
        name: "",
        shape: 0,
        required: false,
        wire: "",
        query: "",
        form: "",
        location: Location::Body,
        flattened: false,
        attribute: false,
        idempotency_token: false,
        timestamp: None,
        namespace: Namespace::NONE,
        json_value: false,
        event_payload: false,
        event_header: false,
    };

    /// The name on the wire where the protocol does not say otherwise.
    pub fn wire_name(&self) -> &'static str {
        if self.wire.is_empty() {
            self.name
        } else {
            self.wire
        }
    }

    /// The name in the query protocol.
    pub fn form_name(&self) -> &'static str {
        if self.form.is_empty() {
            self.wire_name()
        } else {
            self.form
        }
    }
}
