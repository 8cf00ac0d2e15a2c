//! Cyclic redundancy checks by their reflected polynomials, a table each, made once at build time.

const fn table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ polynomial
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

fn crc(table: &[u64; 256], all_ones: u64, data: &[u8]) -> u64 {
    let step = |value: u64, byte: &u8| table[(value as u8 ^ byte) as usize] ^ value >> 8;
    data.iter().fold(all_ones, step) ^ all_ones
}

static CRC32: [u64; 256] = table(0xedb8_8320);
static CRC32C: [u64; 256] = table(0x82f6_3b78);
static CRC64NVME: [u64; 256] = table(0x9a6c_9329_ac4b_c9b5);

/// CRC-32 as in gzip.
pub fn crc32(data: &[u8]) -> u32 {
    crc(&CRC32, u32::MAX.into(), data) as u32
}

/// CRC-32C (Castagnoli).
pub fn crc32c(data: &[u8]) -> u32 {
    crc(&CRC32C, u32::MAX.into(), data) as u32
}

/// CRC-64/NVME.
pub fn crc64nvme(data: &[u8]) -> u64 {
    crc(&CRC64NVME, u64::MAX, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_check_values_hold() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc64nvme(b"123456789"), 0xae8b_1486_0a79_9888);
    }
}
