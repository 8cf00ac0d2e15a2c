//! Services of our own making, in the protocols that no service here speaks yet.

use roadstead_protocol::{Kind, Location, Member, Operation, Protocol, ServiceModel, Shape};

static SHAPES: &[Shape] = &[
    Shape {
        name: "Text",
        kind: Kind::Text {
            min: None,
            max: None,
            pattern: None,
            values: &[],
        },
        ..Shape::BASE
    },
    Shape {
        name: "Input",
        kind: Kind::Structure {
            members: &[
                Member {
                    name: "name",
                    shape: 0,
                    location: Location::Uri,
                    required: true,
                    ..Member::BASE
                },
                Member {
                    name: "note",
                    shape: 0,
                    ..Member::BASE
                },
            ],
            payload: None,
            document: false,
            union: false,
        },
        ..Shape::BASE
    },
    Shape {
        name: "Bytes",
        kind: Kind::Blob {
            min: None,
            max: None,
            streaming: true,
        },
        ..Shape::BASE
    },
    Shape {
        name: "Upload",
        kind: Kind::Structure {
            members: &[
                Member {
                    name: "name",
                    shape: 0,
                    location: Location::Uri,
                    required: true,
                    ..Member::BASE
                },
                Member {
                    name: "encoding",
                    shape: 0,
                    location: Location::Header,
                    wire: "Content-Encoding",
                    ..Member::BASE
                },
                Member {
                    name: "data",
                    shape: 2,
                    ..Member::BASE
                },
            ],
            payload: Some("data"),
            document: false,
            union: false,
        },
        ..Shape::BASE
    },
];

static OPERATIONS: &[Operation] = &[
    Operation {
        name: "Note",
        method: "POST",
        uri: "/notes/{name}",
        input: Some(1),
        output: Some(1),
        status: 201,
        ..Operation::BASE
    },
    Operation {
        name: "Upload",
        method: "PUT",
        uri: "/files/{name+}",
        input: Some(3),
        ..Operation::BASE
    },
    Operation {
        name: "Fetch",
        method: "GET",
        uri: "/notes/{name}",
        input: Some(1),
        ..Operation::BASE
    },
];

const BASE: ServiceModel = ServiceModel {
    shapes: SHAPES,
    operations: OPERATIONS,
    absent: &["Later"],
    ..ServiceModel::BASE
};

pub(crate) static REST_JSON: ServiceModel = ServiceModel {
    name: "notes",
    signing_name: "notes",
    protocols: &[Protocol::RestJson],
    ..BASE
};
pub(crate) static REST_XML: ServiceModel = ServiceModel {
    name: "files",
    signing_name: "s3",
    protocols: &[Protocol::RestXml],
    bare_errors: true,
    ..BASE
};
pub(crate) static QUERY: ServiceModel = ServiceModel {
    name: "people",
    signing_name: "people",
    protocols: &[Protocol::Query],
    api_version: "2010-05-08",
    ..BASE
};
pub(crate) static CBOR: ServiceModel = ServiceModel {
    name: "metrics",
    signing_name: "metrics",
    target_prefix: "Metrics_2020",
    protocols: &[Protocol::RpcV2Cbor, Protocol::Json10, Protocol::Query],
    api_version: "2020-01-01",
    query_compatible: true,
    ..BASE
};
