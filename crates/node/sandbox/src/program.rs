//! What an environment runs: a runtime of this machine over the function's archives, or an image.

use std::path::PathBuf;

use roadstead_functions::{Error, Image as Wanted, Package, Spec, Zip};
use roadstead_image::{Image, ImageConfig};

use crate::images::Supply;
use crate::runtimes::{Choice, Installed, Runtimes};

/// What a function's package asks for, and what of this machine that is.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    Zip(Zip, Box<Installed>),
    Image(Wanted, Box<Image>),
}

impl Program {
    pub(crate) async fn of(spec: &Spec, runtimes: &Runtimes, supply: &Supply) -> Result<Self, Error> {
        match &spec.package {
            Package::Zip(zip) => match runtimes.choose(&zip.runtime) {
                Choice::Installed(installed) => Ok(Self::Zip(zip.clone(), installed)),
                Choice::Absent(reason) | Choice::Never(reason) => Err(Error::NoRuntime {
                    runtime: zip.runtime.clone(),
                    reason,
                }),
            },
            Package::Image(wanted) => {
                let image = supply.find(&wanted.name).await?;
                Ok(Self::Image(wanted.clone(), Box::new(image)))
            }
        }
    }

    /// Layers of the root, the topmost first.
    pub(crate) fn root(&self) -> Vec<PathBuf> {
        match self {
            Self::Zip(_, runtime) => vec![runtime.root.clone()],
            Self::Image(_, image) => image.layers.clone(),
        }
    }

    pub(crate) fn command(&self) -> Vec<String> {
        match self {
            Self::Zip(zip, runtime) => {
                let word = |word: &String| match word.as_str() {
                    "{handler}" => zip.handler.clone(),
                    other => other.to_owned(),
                };
                runtime.command.iter().map(word).collect()
            }
            Self::Image(wanted, image) => command(wanted, &image.config),
        }
    }

    pub(crate) fn working_directory(&self) -> PathBuf {
        let place = match self {
            Self::Zip(..) => "/var/task",
            Self::Image(wanted, image) => working_directory(wanted, &image.config),
        };
        place.into()
    }
}

/// Entry point and command: each of the function's in place of the image's.
fn command(wanted: &Wanted, own: &ImageConfig) -> Vec<String> {
    let chosen = |given: &[String], own: &[String]| match given {
        [] => own.to_vec(),
        given => given.to_vec(),
    };
    [
        chosen(&wanted.entry_point, &own.entrypoint),
        chosen(&wanted.command, &own.cmd),
    ]
    .concat()
}

fn working_directory<'a>(wanted: &'a Wanted, own: &'a ImageConfig) -> &'a str {
    let given = wanted.working_directory.as_deref().unwrap_or_default();
    let named = [given, &own.working_dir]
        .into_iter()
        .find(|place| !place.is_empty());
    named.unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_function_stands_in_for_one_of_the_image() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let own = ImageConfig {
            entrypoint: words("/entry -x"),
            cmd: words("app.handler"),
            working_dir: "/var/task".into(),
            ..ImageConfig::default()
        };
        for (entry_point, given, place, expected, stands) in [
            ("", "", None, "/entry -x app.handler", "/var/task"),
            (
                "",
                "other.handler 2",
                None,
                "/entry -x other.handler 2",
                "/var/task",
            ),
            ("/bin/sh", "", Some(""), "/bin/sh app.handler", "/var/task"),
            ("/bin/sh -c", "true", Some("/opt"), "/bin/sh -c true", "/opt"),
        ] {
            let wanted = Wanted {
                name: String::new(),
                entry_point: words(entry_point),
                command: words(given),
                working_directory: place.map(str::to_owned),
            };
            assert_eq!(command(&wanted, &own), words(expected));
            assert_eq!(working_directory(&wanted, &own), stands);
            assert_eq!(
                working_directory(&wanted, &ImageConfig::default()),
                match stands {
                    "/opt" => "/opt",
                    _ => "/",
                }
            );
        }
    }
}
