//! Layers: archives that functions share.

use roadstead_base::Ctx;

use crate::Lambda;
use crate::accept::MAX_LAYERS;
use crate::content::MAX_UNPACKED;
use crate::error::{Error, Result};
use crate::records::{ArchiveRecord, LayerUse};

impl Lambda {
    /// The layers that a function is to have, by their ARNs.
    pub(crate) fn layers_for(&self, _ctx: &Ctx, layers: Vec<String>) -> Result<Vec<LayerUse>> {
        if layers.len() > MAX_LAYERS {
            return Err(Error::invalid(format!(
                "The function can have at most {MAX_LAYERS} layers, not {}.",
                layers.len()
            )));
        }
        match layers.first() {
            None => Ok(Vec::new()),
            Some(layer) => Err(Error::Unsupported(format!("Layers {layer}"))),
        }
    }
}

/// Refuses what is too large together.
pub(crate) fn check_size(code: &ArchiveRecord, layers: &[LayerUse]) -> Result<()> {
    let all = code.unpacked + layers.iter().map(|layer| layer.archive.unpacked).sum::<u64>();
    match all > MAX_UNPACKED {
        true => Err(Error::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {MAX_UNPACKED} bytes. The actual size is {all} bytes."
        ))),
        false => Ok(()),
    }
}
