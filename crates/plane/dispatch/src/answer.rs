//! Bodies of answers: whole, or events one after the other for as long as there are any.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use roadstead_protocol::EncodeError;
use roadstead_protocol::events::{Framer, PollEvent};

/// What a client reads behind the head of an answer.
pub enum Body {
    Whole(Full<Bytes>),
    Events(Box<Events>),
}

/// Events in frames. Nothing is asked of their source before the client has room for it.
pub struct Events {
    /// What goes before the first event.
    pub(crate) initial: Option<Bytes>,
    pub(crate) framer: Framer,
    /// None: the stream has ended.
    pub(crate) source: Option<Box<PollEvent>>,
}

impl From<Full<Bytes>> for Body {
    fn from(whole: Full<Bytes>) -> Self {
        Self::Whole(whole)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    /// An event that cannot be written breaks the answer off.
    type Error = EncodeError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(cx).map_err(|never| match never {}),
            Self::Events(events) => events.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Events(events) => events.source.is_none() && events.initial.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

impl Events {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EncodeError>>> {
        if let Some(initial) = self.initial.take() {
            return Poll::Ready(Some(Ok(Frame::data(initial))));
        }
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let frame = match ready!(source(cx)) {
            Some(Ok(event)) => self.framer.event(event),
            Some(Err(error)) => {
                self.source = None;
                Ok(self.framer.error(&error))
            }
            None => {
                self.source = None;
                return Poll::Ready(None);
            }
        };
        Poll::Ready(Some(match frame {
            Ok(frame) => Ok(Frame::data(frame.into())),
            Err(error) => {
                tracing::error!(%error, "an event could not be written");
                self.source = None;
                Err(error)
            }
        }))
    }
}
