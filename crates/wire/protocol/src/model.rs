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
}

impl ServiceModel {
    pub fn operation(&'static self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    pub fn shape(&self, id: ShapeId) -> &'static Shape {
        &self.shapes[id as usize]
    }
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
}

#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
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
    pub location: Location,
    pub flattened: bool,
    pub attribute: bool,
    pub idempotency_token: bool,
}

impl Member {
    /// The name on the wire where the protocol does not say otherwise.
    pub fn wire_name(&self) -> &'static str {
        if self.wire.is_empty() {
            self.name
        } else {
            self.wire
        }
    }
}
