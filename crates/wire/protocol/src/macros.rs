//! What generated crates are made of. Macros keep them small, which is what keeps them quick to build.

/// A structure: its members by Rust name, wire name and type, the required ones apart.
#[macro_export]
macro_rules! structure {
    ($name:ident { $($req:ident $req_name:literal $req_ty:ty,)* } { $($opt:ident $opt_name:literal $opt_ty:ty,)* }) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(pub $req: $req_ty,)*
            $(pub $opt: Option<$opt_ty>,)*
        }

        impl $crate::Wire for $name {
            fn into_value(self) -> $crate::Value {
                #[allow(unused_mut)]
                let mut fields = $crate::Fields::new();
                $(fields.push(($req_name.into(), $crate::Wire::into_value(self.$req)));)*
                $(if let Some(value) = self.$opt {
                    fields.push(($opt_name.into(), $crate::Wire::into_value(value)));
                })*
                $crate::Value::Map(fields)
            }

            fn from_value(value: $crate::Value) -> Result<Self, $crate::DecodeError> {
                let $crate::Value::Map(fields) = value else {
                    return Err($crate::DecodeError::new("structure", value.kind()));
                };
                $(let mut $req: Option<$req_ty> = None;)*
                $(let mut $opt: Option<$opt_ty> = None;)*
                for (name, value) in fields {
                    let _ = &value;
                    match &*name {
                        $($req_name => {
                            $req = Some($crate::Wire::from_value(value).map_err(|error| error.at($req_name))?);
                        })*
                        $($opt_name => {
                            $opt = Some($crate::Wire::from_value(value).map_err(|error| error.at($opt_name))?);
                        })*
                        _ => return Err($crate::DecodeError::new("a member of the structure", name)),
                    }
                }
                Ok(Self {
                    $($req: $req.ok_or_else(|| $crate::DecodeError::new("a required member", "nothing").at($req_name))?,)*
                    $($opt,)*
                })
            }
        }
    };
}

/// A closed set of strings.
#[macro_export]
macro_rules! enumeration {
    ($name:ident { $first:ident $first_text:literal, $($variant:ident $text:literal,)* }) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            #[default]
            $first,
            $($variant,)*
        }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $first_text => Some(Self::$first),
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Wire for $name {
            fn into_value(self) -> $crate::Value {
                $crate::Value::Str(self.as_str().to_owned())
            }

            fn from_value(value: $crate::Value) -> Result<Self, $crate::DecodeError> {
                match value {
                    $crate::Value::Str(text) => {
                        Self::parse(&text).ok_or_else(|| $crate::DecodeError::new(stringify!($name), text))
                    }
                    other => Err($crate::DecodeError::new("string", other.kind())),
                }
            }
        }
    };
}

/// A service: the trait its implementation fulfils, the server that puts it behind dispatch, the client
/// that calls it through dispatch.
#[macro_export]
macro_rules! service {
    ($trait:ident $model:ident { $($method:ident $operation:literal $input:ty, $output:ty,)* }) => {
        /// The operations implemented here. Each takes the whole request and answers the whole response.
        pub trait $trait: Send + Sync + 'static {
            $(fn $method(
                &self,
                ctx: &$crate::reexport::Ctx,
                input: $input,
            ) -> impl Future<Output = Result<$output, $crate::ApiError>> + Send;)*
        }

        /// Puts an implementation behind dispatch.
        pub struct Server<S>(pub std::sync::Arc<S>);

        impl<S: $trait> $crate::Handler for Server<S> {
            fn model(&self) -> &'static $crate::ServiceModel {
                &$model
            }

            fn call<'a>(
                &'a self,
                operation: &'static $crate::Operation,
                ctx: &'a $crate::reexport::Ctx,
                input: $crate::Value,
            ) -> $crate::BoxFuture<'a, Result<$crate::Value, $crate::ApiError>> {
                match operation.name {
                    $($operation => Box::pin(async move {
                        let input = <$input as $crate::Wire>::from_value(input)
                            .map_err(|error| $crate::ApiError::client("SerializationException", error.to_string()))?;
                        self.0.$method(ctx, input).await.map($crate::Wire::into_value)
                    }),)*
                    other => Box::pin(async move {
                        Err($crate::ApiError::not_implemented($model.name, other))
                    }),
                }
            }
        }

        /// Calls the service through dispatch, as any other caller would.
        #[derive(Clone)]
        pub struct Client(pub std::sync::Arc<dyn $crate::Call>);

        impl Client {
            $(pub async fn $method(
                &self,
                ctx: &$crate::reexport::Ctx,
                input: $input,
            ) -> Result<$output, $crate::ApiError> {
                let output = self.0.call(&$model, $operation, ctx, $crate::Wire::into_value(input)).await?;
                <$output as $crate::Wire>::from_value(output)
                    .map_err(|error| $crate::ApiError::new("InternalFailure", 500, error.to_string()))
            })*
        }
    };
}
