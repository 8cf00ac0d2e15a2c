//! The operations, one file each.

mod assign_ipv6_addresses;
mod associate_subnet_cidr_block;
mod associate_vpc_cidr_block;
mod attach_network_interface;
mod authorize;
mod create_default_vpc;
mod create_network_interface;
mod create_security_group;
mod create_subnet;
mod create_vpc;
mod delete_network_interface;
mod delete_security_group;
mod delete_subnet;
mod delete_vpc;
mod describe_availability_zones;
mod describe_network_interfaces;
mod describe_security_group_rules;
mod describe_security_groups;
mod describe_subnets;
mod describe_tags;
mod describe_vpcs;
mod detach_network_interface;
mod disassociate_subnet_cidr_block;
mod disassociate_vpc_cidr_block;
mod modify_network_interface_attribute;
mod modify_subnet_attribute;
mod retag;
mod revoke;
mod rules;
mod unassign_ipv6_addresses;

use roadstead_api_ec2::*;
use roadstead_base::Ctx;

use crate::error::Result;
use crate::service::Ec2;

macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $module:ident::$function:ident;)*) => {
        impl roadstead_api_ec2::Ec2 for Ec2 {
            $(async fn $name(&self, ctx: &Ctx, input: $input) -> Result<$output> {
                $module::$function(self, ctx, input).await
            })*
        }
    };
}

operations! {
    assign_ipv6_addresses(AssignIpv6AddressesRequest) -> AssignIpv6AddressesResult = assign_ipv6_addresses::run;
    associate_subnet_cidr_block(AssociateSubnetCidrBlockRequest) -> AssociateSubnetCidrBlockResult
        = associate_subnet_cidr_block::run;
    associate_vpc_cidr_block(AssociateVpcCidrBlockRequest) -> AssociateVpcCidrBlockResult
        = associate_vpc_cidr_block::run;
    attach_network_interface(AttachNetworkInterfaceRequest) -> AttachNetworkInterfaceResult
        = attach_network_interface::run;
    authorize_security_group_egress(AuthorizeSecurityGroupEgressRequest) -> AuthorizeSecurityGroupEgressResult
        = authorize::egress;
    authorize_security_group_ingress(AuthorizeSecurityGroupIngressRequest) -> AuthorizeSecurityGroupIngressResult
        = authorize::ingress;
    create_default_vpc(CreateDefaultVpcRequest) -> CreateDefaultVpcResult = create_default_vpc::run;
    create_network_interface(CreateNetworkInterfaceRequest) -> CreateNetworkInterfaceResult
        = create_network_interface::run;
    create_security_group(CreateSecurityGroupRequest) -> CreateSecurityGroupResult = create_security_group::run;
    create_subnet(CreateSubnetRequest) -> CreateSubnetResult = create_subnet::run;
    create_tags(CreateTagsRequest) -> () = retag::create;
    create_vpc(CreateVpcRequest) -> CreateVpcResult = create_vpc::run;
    delete_network_interface(DeleteNetworkInterfaceRequest) -> () = delete_network_interface::run;
    delete_security_group(DeleteSecurityGroupRequest) -> DeleteSecurityGroupResult = delete_security_group::run;
    delete_subnet(DeleteSubnetRequest) -> () = delete_subnet::run;
    delete_tags(DeleteTagsRequest) -> () = retag::delete;
    delete_vpc(DeleteVpcRequest) -> () = delete_vpc::run;
    describe_availability_zones(DescribeAvailabilityZonesRequest) -> DescribeAvailabilityZonesResult
        = describe_availability_zones::run;
    describe_network_interfaces(DescribeNetworkInterfacesRequest) -> DescribeNetworkInterfacesResult
        = describe_network_interfaces::run;
    describe_security_group_rules(DescribeSecurityGroupRulesRequest) -> DescribeSecurityGroupRulesResult
        = describe_security_group_rules::run;
    describe_security_groups(DescribeSecurityGroupsRequest) -> DescribeSecurityGroupsResult
        = describe_security_groups::run;
    describe_subnets(DescribeSubnetsRequest) -> DescribeSubnetsResult = describe_subnets::run;
    describe_tags(DescribeTagsRequest) -> DescribeTagsResult = describe_tags::run;
    describe_vpcs(DescribeVpcsRequest) -> DescribeVpcsResult = describe_vpcs::run;
    detach_network_interface(DetachNetworkInterfaceRequest) -> () = detach_network_interface::run;
    disassociate_subnet_cidr_block(DisassociateSubnetCidrBlockRequest) -> DisassociateSubnetCidrBlockResult
        = disassociate_subnet_cidr_block::run;
    disassociate_vpc_cidr_block(DisassociateVpcCidrBlockRequest) -> DisassociateVpcCidrBlockResult
        = disassociate_vpc_cidr_block::run;
    modify_network_interface_attribute(ModifyNetworkInterfaceAttributeRequest) -> ()
        = modify_network_interface_attribute::run;
    modify_subnet_attribute(ModifySubnetAttributeRequest) -> () = modify_subnet_attribute::run;
    revoke_security_group_egress(RevokeSecurityGroupEgressRequest) -> RevokeSecurityGroupEgressResult
        = revoke::egress;
    revoke_security_group_ingress(RevokeSecurityGroupIngressRequest) -> RevokeSecurityGroupIngressResult
        = revoke::ingress;
    unassign_ipv6_addresses(UnassignIpv6AddressesRequest) -> UnassignIpv6AddressesResult
        = unassign_ipv6_addresses::run;
}

/// Describe calls with `DryRun` end here.
fn dry_run(dry_run: Option<bool>) -> Result<()> {
    if dry_run == Some(true) {
        Err(crate::error::dry_run())
    } else {
        Ok(())
    }
}
