//! Signed calls over HTTP, typed by the generated API crate.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use roadstead_acs::RoleCredentials;
use roadstead_api_ecs::MODEL;
use roadstead_api_logs::MODEL as LOGS;
use roadstead_api_secretsmanager::MODEL as SECRETS;
use roadstead_base::SharedClock;
use roadstead_protocol::sigv4::{SigningKey, sign};
use roadstead_protocol::{Kind, Protocol, ServiceModel, ShapeId, Wire, json};

use super::trust::Trust;

/// One call, from the first byte to the last.
const CALL: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// A longer answer is none of this API's.
const MAX_ANSWER: usize = 4 << 20;

/// What signs the agent's calls.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, secret withheld)", self.access_key)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} cannot be the API's address: {why}")]
pub struct EndpointError {
    url: String,
    why: &'static str,
}

/// Base URL of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port`, as the `Host` header says it.
    pub authority: String,
    pub tls: bool,
}

impl Endpoint {
    /// # Errors
    /// Not `http://host[:port]` or `https://host[:port]`.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let refuse = |why| EndpointError {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse("it does not begin with http:// or https://")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("it has a path or a query"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        Ok(Self {
            authority: authority.to_string(),
            tls,
        })
    }
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("calling {operation}: {problem}")]
    Transport {
        operation: &'static str,
        problem: String,
    },
    #[error("{operation}: {code}: {message}")]
    Api {
        operation: &'static str,
        code: String,
        message: String,
        status: u16,
        /// The service's name for the call.
        request_id: Option<String>,
    },
}

impl CallError {
    /// The service's own error code.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Transport { .. } => None,
            Self::Api { code, .. } => Some(code),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Api { code, status, .. } => {
                *status >= 500 && *status != 501
                    || matches!(
                        code.as_str(),
                        "ThrottlingException"
                            | "ServerException"
                            | "LimitExceededException"
                            | "RequestLimitExceeded"
                            | "OperationAbortedException"
                    )
            }
        }
    }
}

/// A client of the API. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    trust: Trust,
    endpoint: Endpoint,
    credentials: Credentials,
    /// With keys of a session.
    token: Option<HeaderValue>,
    region: String,
    clock: SharedClock,
}

impl Client {
    pub fn new(endpoint: Endpoint, credentials: Credentials, region: &str, clock: SharedClock) -> Self {
        let trust = Trust::default();
        Self {
            http: http(&trust),
            trust,
            endpoint,
            credentials,
            token: None,
            region: region.to_owned(),
            clock,
        }
    }

    /// Over TLS, in these authorities.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.http = http(&trust);
        self.trust = trust;
        self
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same, as a role.
    #[must_use]
    pub fn acting_as(&self, keys: &RoleCredentials) -> Self {
        let mut client = self.clone();
        client.credentials = Credentials {
            access_key: keys.access_key_id.clone(),
            secret_key: keys.secret_access_key.clone(),
        };
        client.token = HeaderValue::from_str(&keys.session_token).ok();
        client
    }

    /// With the token that goes with keys of a session.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = HeaderValue::from_str(token).ok();
        self
    }

    /// In another region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Signs a request whose `Host` is set.
    pub fn sign(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap, body: &[u8]) {
        self.sign_for(&MODEL, method, uri, headers, body);
    }

    fn sign_for(
        &self,
        model: &ServiceModel,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        body: &[u8],
    ) {
        if let Some(token) = &self.token {
            headers.insert("x-amz-security-token", token.clone());
        }
        let key = SigningKey {
            access_key: &self.credentials.access_key,
            secret: &self.credentials.secret_key,
            region: &self.region,
            service: model.signing_name,
        };
        sign(method, uri, headers, body, &key, self.clock.now());
    }

    /// Calls an operation of the container service.
    ///
    /// # Errors
    /// [`CallError`]: no answer, one that cannot be read, or the service's refusal.
    pub async fn call<I: Wire, O: Wire>(&self, operation: &'static str, input: I) -> Result<O, CallError> {
        self.call_of(&MODEL, operation, input).await
    }

    /// Calls an operation of Secrets Manager.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn call_secrets<I: Wire, O: Wire>(
        &self,
        operation: &'static str,
        input: I,
    ) -> Result<O, CallError> {
        self.call_of(&SECRETS, operation, input).await
    }

    /// Calls an operation of CloudWatch Logs whose answer says nothing of use.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn tell_logs<I: Wire>(&self, operation: &'static str, input: I) -> Result<(), CallError> {
        self.send(&LOGS, operation, input).await.map(drop)
    }

    /// Calls an operation of any service that speaks JSON.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn call_of<I: Wire, O: Wire>(
        &self,
        service: &'static ServiceModel,
        operation: &'static str,
        input: I,
    ) -> Result<O, CallError> {
        let problem = |problem: String| CallError::Transport { operation, problem };
        let answer = self.send(service, operation, input).await?;
        let shape = service
            .operation(operation)
            .and_then(|model| model.output)
            .ok_or_else(|| problem("it has no output".to_owned()))?;
        let mut answer: serde_json::Value = serde_json::from_slice(&answer)
            .map_err(|error| problem(format!("the answer is not JSON: {error}")))?;
        prune(service, shape, &mut answer);
        let value = json::from_json(service, shape, answer, "")
            .map_err(|error| problem(format!("the answer is not the operation's: {error:?}")))?;
        O::from_value(value).map_err(|error| problem(format!("the answer is not the operation's: {error}")))
    }

    /// The body of a successful answer.
    async fn send<I: Wire>(
        &self,
        service: &'static ServiceModel,
        operation: &'static str,
        input: I,
    ) -> Result<Bytes, CallError> {
        let problem = |problem: String| CallError::Transport { operation, problem };
        let model = service
            .operation(operation)
            .ok_or_else(|| problem("the model lacks it".to_owned()))?;
        let body = Bytes::from(json::encode(service, model.input, input.into_value()));
        let scheme = if self.endpoint.tls { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{}/", self.endpoint.authority)
            .parse()
            .map_err(|error| problem(format!("{error}")))?;
        let mut headers = HeaderMap::new();
        let target = format!("{}.{operation}", service.target_prefix);
        let content_type = if service.protocols.contains(&Protocol::Json11) {
            "application/x-amz-json-1.1"
        } else {
            "application/x-amz-json-1.0"
        };
        for (name, value) in [
            (header::HOST, self.endpoint.authority.as_str()),
            (header::CONTENT_TYPE, content_type),
            (header::HeaderName::from_static("x-amz-target"), &target),
        ] {
            let value = HeaderValue::from_str(value).map_err(|error| problem(error.to_string()))?;
            headers.insert(name, value);
        }
        self.sign_for(service, &Method::POST, &uri, &mut headers, &body);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let (status, request_id, answer) = tokio::time::timeout(CALL, self.exchange(request))
            .await
            .map_err(|_| problem(format!("no answer within {} s", CALL.as_secs())))?
            .map_err(problem)?;
        match status {
            200 => Ok(answer),
            status => Err(api_error(operation, status, request_id, &answer)),
        }
    }

    /// Asks for JSON below a path of the platform's own, signed as a call of the container service.
    ///
    /// # Errors
    /// As of [`Client::call`].
    pub async fn get(&self, path_and_query: &str) -> Result<serde_json::Value, CallError> {
        const OPERATION: &str = "GET";
        let problem = |problem: String| CallError::Transport {
            operation: OPERATION,
            problem,
        };
        let scheme = if self.endpoint.tls { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{}{path_and_query}", self.endpoint.authority)
            .parse()
            .map_err(|error| problem(format!("{error}")))?;
        let mut headers = HeaderMap::new();
        let host =
            HeaderValue::from_str(&self.endpoint.authority).map_err(|error| problem(error.to_string()))?;
        headers.insert(header::HOST, host);
        self.sign(&Method::GET, &uri, &mut headers, b"");
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let (status, request_id, answer) = tokio::time::timeout(CALL, self.exchange(request))
            .await
            .map_err(|_| problem(format!("no answer within {} s", CALL.as_secs())))?
            .map_err(problem)?;
        if status != 200 {
            return Err(api_error(OPERATION, status, request_id, &answer));
        }
        serde_json::from_slice(&answer).map_err(|error| problem(format!("the answer is not JSON: {error}")))
    }

    /// Status, request id and body.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(u16, Option<String>, Bytes), String> {
        let response = self.http.request(request).await.map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let request_id = response.headers().get("x-amzn-requestid");
        let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok((status, request_id, body.to_bytes()))
    }
}

fn http(trust: &Trust) -> Http<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(trust.config())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Http::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(connector)
}

/// An error with what caused it, since hyper's own words are "client error (Connect)".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn api_error(operation: &'static str, status: u16, request_id: Option<String>, answer: &[u8]) -> CallError {
    let body: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let text = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| body.get(name)?.as_str())
            .unwrap_or_default()
    };
    let code = text(["__type", "code"]);
    // Some write `namespace#Code`.
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = if code.is_empty() {
        format!("HTTP {status}")
    } else {
        code.to_owned()
    };
    CallError::Api {
        operation,
        code,
        message: text(["message", "Message"]).to_owned(),
        status,
        request_id,
    }
}

/// Takes out members that this build does not know: a newer control plane may say more.
fn prune(model: &ServiceModel, shape: ShapeId, json: &mut serde_json::Value) {
    match (&model.shape(shape).kind, json) {
        (Kind::Structure { members, .. }, serde_json::Value::Object(object)) => {
            object.retain(|name, _| members.iter().any(|member| member.wire_name() == name));
            for member in *members {
                if let Some(value) = object.get_mut(member.wire_name()) {
                    prune(model, member.shape, value);
                }
            }
        }
        (Kind::List { member, .. }, serde_json::Value::Array(items)) => {
            items.iter_mut().for_each(|item| prune(model, member.shape, item));
        }
        (Kind::Map { value, .. }, serde_json::Value::Object(object)) => {
            object
                .values_mut()
                .for_each(|item| prune(model, value.shape, item));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_of_http_with_or_without_tls() {
        for (url, good) in [
            ("http://127.0.0.1:4566", true),
            ("http://127.0.0.1:4566/", true),
            ("http://[::1]:4566", true),
            ("https://127.0.0.1:4566", true),
            ("https://control.example", true),
            ("127.0.0.1:4566", false),
            ("http://127.0.0.1/x", false),
            ("ftp://x", false),
            ("", false),
        ] {
            assert_eq!(Endpoint::parse(url).is_ok(), good, "{url}");
        }
    }

    #[test]
    fn errors_are_read_in_all_their_forms() {
        for (body, code, transient) in [
            (
                r#"{"__type":"ClusterNotFoundException","message":"Cluster not found."}"#,
                "ClusterNotFoundException",
                false,
            ),
            (
                r#"{"__type":"com.amazonaws.ecs#ThrottlingException"}"#,
                "ThrottlingException",
                true,
            ),
            ("<html>", "HTTP 400", false),
        ] {
            let error = api_error("X", 400, None, body.as_bytes());
            assert_eq!(
                (error.code(), error.is_transient()),
                (Some(code), transient),
                "{body}"
            );
        }
        assert!(api_error("X", 503, None, b"").is_transient());
        assert!(!api_error("X", 501, None, b"").is_transient());
    }

    #[test]
    fn members_of_a_newer_control_plane_are_passed_over() {
        let shape = MODEL
            .operation("DiscoverPollEndpoint")
            .and_then(|operation| operation.output)
            .expect("a shape");
        let mut answer = serde_json::json!({"endpoint": "http://x", "brandNew": {"a": 1}});
        prune(&MODEL, shape, &mut answer);
        assert_eq!(answer, serde_json::json!({"endpoint": "http://x"}));
    }
}
