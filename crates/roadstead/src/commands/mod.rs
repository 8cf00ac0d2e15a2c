pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod image;
pub(crate) mod up;
