//! Links to archives, as GetFunction and GetLayerVersion give them: whoever has one may read that archive for ten minutes,
//! without a signature, as by a presigned URL.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use roadstead_base::{Ctx, Pager, Timestamp};
use roadstead_dispatch::{Raw, RawRequest, RawResponse};
use roadstead_protocol::BoxFuture;

use crate::Lambda;
use crate::records::ArchiveRecord;

/// Below it, archives by their tokens.
pub const ARCHIVES_PATH: &str = "/_roadstead/lambda/archives/";
const SCOPE: &str = "lambda/archives";
const LASTS_MILLIS: i64 = 600_000;

impl Lambda {
    /// Where the archive can be had, at the address that the caller came by; a part of the platform came by none.
    pub(crate) fn link(&self, ctx: &Ctx, archive: &ArchiveRecord) -> Option<String> {
        let token = write(&ctx.pager, self.clock.now(), &archive.sha256);
        (!ctx.endpoint.is_empty()).then(|| format!("{}{ARCHIVES_PATH}{token}", ctx.endpoint))
    }
}

fn write(pager: &Pager, now: Timestamp, sha256: &str) -> String {
    pager.encode(SCOPE, &format!("{}/{sha256}", now.0 + LASTS_MILLIS))
}

/// The digest of the archive, if the token is one of ours and has not expired.
fn read(pager: &Pager, now: Timestamp, token: &str) -> Option<String> {
    let text = pager.decode(SCOPE, token).ok()?;
    let (expires, sha256) = text.split_once('/')?;
    let expires: i64 = expires.parse().ok()?;
    (now.0 < expires).then(|| sha256.to_owned())
}

/// Serves archives to whoever has a link.
pub struct Archives(Weak<Lambda>);

impl Archives {
    pub fn of(lambda: &Arc<Lambda>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(lambda)))
    }

    async fn find(
        &self,
        ctx: &Ctx,
        method: &Method,
        path: &str,
    ) -> Result<Vec<u8>, (StatusCode, &'static str)> {
        if method != Method::GET {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered here.\n"));
        }
        let gone = (StatusCode::NOT_FOUND, "The archive is not here any more.\n");
        let lambda = self.0.upgrade().ok_or(gone)?;
        let token = path.strip_prefix(ARCHIVES_PATH).unwrap_or_default();
        let sha256 = read(&ctx.pager, lambda.clock.now(), token).ok_or((
            StatusCode::FORBIDDEN,
            "The link is none of this server's, or older than ten minutes.\n",
        ))?;
        let archive = lambda.contents.archive(&sha256);
        tokio::fs::read(archive).await.map_err(|_| gone)
    }
}

impl Raw for Archives {
    fn has_proof_of_its_own(&self) -> bool {
        true
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            let found = self.find(&ctx, request.method(), request.uri().path()).await;
            let (status, kind, body) = match found {
                Ok(archive) => (StatusCode::OK, "application/zip", Bytes::from(archive)),
                Err((status, why)) => (status, "text/plain", Bytes::from_static(why.as_bytes())),
            };
            let mut response = Response::new(Full::new(body).into());
            *response.status_mut() = status;
            let kind = header::HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::START;

    #[test]
    fn a_link_lasts_ten_minutes_and_cannot_be_made_up() {
        let pager = Pager::new([7; 32]);
        let token = write(&pager, START, "abc");
        for (after, found) in [(0, true), (LASTS_MILLIS - 1, true), (LASTS_MILLIS, false)] {
            let expected = found.then(|| "abc".to_owned());
            assert_eq!(
                read(&pager, START.plus_millis(after), &token),
                expected,
                "{after}"
            );
        }
        assert_eq!(read(&Pager::new([8; 32]), START, &token), None);
        assert_eq!(
            read(&pager, START, &pager.encode("lambda/other", "9999999999999/abc")),
            None
        );
        assert_eq!(read(&pager, START, ""), None);
    }
}
